import { spawn } from "node:child_process";
import { CodedError } from "../../base/index.ts";
import { EXIT_CODES, shortName } from "../../build/index.ts";
import type { StorePath } from "../../store/index.ts";
import { LogLines } from "../build-log/index.ts";
import { closeInheritedDescriptors } from "../process/index.ts";
import type { BuildUser } from "../sandbox/index.ts";

/** How long what a hook wrote is waited for after its end. */
const LINGER_MS = 500;

export interface RunHookOptions {
  readonly program: string;
  readonly args?: readonly string[];
  /** Variables besides our own. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Whom to be. Default ourselves. */
  readonly user?: BuildUser | undefined;
  /** Takes what the program writes, line by line. */
  readonly tell: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Run a program of this machine's administrator to its end, in `/` and without input.
 *
 * @returns `undefined` when it went well, else how it ended, as the end of a sentence: `ended with exit code 3`.
 * @throws the reason of `signal` when that ended it, with all it had started in its process group.
 */
export async function runHook({
  program,
  args = [],
  environment,
  user,
  tell,
  signal,
}: RunHookOptions): Promise<string | undefined> {
  signal.throwIfAborted();
  closeInheritedDescriptors();
  const child = spawn(program, [...args], {
    cwd: "/",
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment },
    detached: true,
    ...user,
  });
  const lines = new LogLines((item) => {
    if (item.kind === "line") tell(item.text);
  }, 0);
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => lines.write(chunk));
  const kill = (): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // The whole group is gone already.
    }
  };
  signal.addEventListener("abort", kill, { once: true });
  try {
    return await new Promise((resolve) => {
      child.once("error", (error) => resolve(`could not be run: ${error.message}`));
      child.once("exit", (code, killer) => {
        const ending = killer === null ? `ended with exit code ${code}` : `was killed by ${killer}`;
        const done = (): void => resolve(code === 0 ? undefined : ending);
        child.once("close", done);
        // What it left at work in the background (an upload) may keep its output open; nobody listens any more.
        setTimeout(done, LINGER_MS).unref();
      });
    });
  } finally {
    signal.removeEventListener("abort", kill);
    for (const stream of [child.stdout, child.stderr]) stream.destroy();
    lines.end();
    signal.throwIfAborted();
  }
}

export interface PostBuildHookOptions {
  readonly program: string;
  /** The directory the store lies below, or its address. */
  readonly store: string;
  readonly drvPath: StorePath;
  /** What was built; all are valid. */
  readonly outputs: readonly StorePath[];
  readonly tell: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Tell the hook of this machine what was built: `DRV_PATH`, and in `OUT_PATHS` the outputs, separated by spaces. `FLOE_STORE` is
 * what it passes to `--store`.
 *
 * @returns The failure of the build, when the hook failed: `build.hook-failed`. The outputs stay valid.
 *
 * Source: Nix manual, `post-build-hook`.
 */
export async function runPostBuildHook({
  program,
  store,
  drvPath,
  outputs,
  tell,
  signal,
}: PostBuildHookOptions): Promise<CodedError | undefined> {
  const environment = { DRV_PATH: drvPath, OUT_PATHS: outputs.join(" "), FLOE_STORE: store };
  const ending = await runHook({ program, environment, tell, signal });
  if (ending === undefined) return undefined;
  return new CodedError(
    "build.hook-failed",
    `Cannot go on after building "${shortName(drvPath)}": the hook "${program}" ${ending}`,
    {
      hint: "What was built is there; the setting postBuildHook names the program.",
      exitCode: EXIT_CODES.buildFailed,
    },
  );
}

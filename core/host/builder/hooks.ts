import { spawn } from "node:child_process";
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

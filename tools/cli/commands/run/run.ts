import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { CodedError } from "../../../../core/base/index.ts";
import { type StorePath, storePathName, tryParseStorePath } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import type { BuildFlags } from "../../flags.ts";
import { enterStore } from "../../enter-store.ts";
import { realise } from "../../realise.ts";
import { resolveInstallables } from "../../resolve.ts";
import { openStore } from "../../store.ts";

/** Build a package and become its program, as far as a Node process can. */
export default async function run(this: CliContext, flags: BuildFlags, text = ".", ...words: string[]): Promise<void> {
  const kinds = ["apps", "packages", "checks", "systems", "vmTests"];
  await runInstallable(this, { flags, text, words, kinds });
}

export interface RunInstallableOptions {
  readonly flags: BuildFlags;
  readonly text: string;
  readonly words: readonly string[];
  /** Outputs a short name is looked for in, in this order. */
  readonly kinds: readonly string[];
  /** The program inside the package. Default its main one. */
  readonly program?: string;
}

/** Build what an installable names, run its program on our terminal, and end with its exit code. */
export async function runInstallable(context: CliContext, options: RunInstallableOptions): Promise<void> {
  const { flags, text, words, kinds, program: inside } = options;
  using store = openStore(flags);
  const [resolved] = await resolveInstallables([text], { context, store, flags, needValid: false, kinds });
  if (resolved === undefined) return;
  const report = await realise(resolved.targets, { context, store, flags, paths: resolved.paths });
  // An installable without any output is refused before.
  const path = (resolved.paths[0] ?? report.outputs[0]) as StorePath;
  const name = resolved.mainProgram ?? storePathName(path).replace(/-[0-9].*$/, "");
  const app = appProgram(resolved.value);
  const below = inside ?? `bin/${name}`;
  const program = app ?? `${path}/${below}`;
  if (!existsSync(store.realPath(program))) {
    throw new CodedError(
      "run.no-program",
      `Cannot run "${text}": ${app === undefined ? `"${path}" has no program ${below}` : `found no "${app}"`}`,
      {
        hint: inside === undefined ? "Set meta.mainProgram of the package to the program it should run." : undefined,
      },
    );
  }
  context.exitWith(await runOnTerminal([...enterStore(store, [path, ...objectOf(program)]), program, ...words]));
}

/** The store object that a program is in. */
function objectOf(program: string): StorePath[] {
  const object = tryParseStorePath(program.split("/", 4).join("/"));
  return object === undefined ? [] : [object];
}

/** The program that an app names. */
function appProgram(value: unknown): string | undefined {
  const { type, program } = (value ?? {}) as { type?: unknown; program?: unknown };
  return type === "app" && typeof program === "string" ? program : undefined;
}

/** Exit code of a program on our terminal; 128 and the signal's number when a signal ended it. */
export function runOnTerminal([program = "", ...words]: readonly string[]): Promise<number> {
  const child = spawn(program, words, { stdio: "inherit" });
  // Ctrl-C reaches the program by itself; we wait for what it makes of it.
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { findEngine, isBundleCurrent } from "../../core/host/evaluator/index.ts";
import { NODE_FLAGS } from "./program-script.ts";

/** How a run of the program ended. */
export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunFloeOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What it reads from its standard input. Default nothing. */
  readonly input?: string;
  /** Called with the child's process id and with everything it says on stderr, to interrupt it at a moment. */
  readonly onStderr?: (text: string, pid: number) => void;
}

const COMPILED =
  process.env["NODE_COMPILE_CACHE"] ??
  join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "floe/compiled");

/** What follows `node` to run `floe` as its launcher does: from the bundle while no source is newer. */
export function floeCommand(): readonly string[] {
  const start = isBundleCurrent() ? join(findEngine(), "dist/floe.cjs") : join(import.meta.dirname, "start.ts");
  return [...NODE_FLAGS, start];
}

/** Run `floe` in a process of its own, without a terminal. */
export function runFloe(words: readonly string[], options: RunFloeOptions = {}): Promise<CliResult> {
  const child = spawn(process.execPath, [...floeCommand(), ...words], {
    cwd: options.cwd ?? tmpdir(),
    // One compile cache for all runs, also for those whose caches are elsewhere: start-up is most of what they cost.
    env: {
      ...process.env,
      // Nothing is to stand ready for a next command.
      CI: "true",
      NO_COLOR: "1",
      FORCE_COLOR: undefined,
      NODE_COMPILE_CACHE: COMPILED,
      ...options.env,
    },
    stdio: ["pipe", "pipe", "pipe"],
  });
  // Who reads nothing may be gone before it is written.
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    if (child.pid !== undefined) options.onStderr?.(text, child.pid);
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? -1, stdout, stderr }));
  });
}

const directories: string[] = [];

/** A new directory below /tmp, removed when the process ends. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "floe-cli-"));
  if (directories.length === 0)
    process.on("exit", () => directories.forEach((each) => rmSync(each, { recursive: true, force: true })));
  directories.push(directory);
  return directory;
}

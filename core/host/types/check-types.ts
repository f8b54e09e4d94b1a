import { spawn } from "node:child_process";
import { realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CodedError } from "../../base/index.ts";
import { FLAKE_FILE_NAME } from "../evaluator/index.ts";
import { makeScratch } from "../files/index.ts";
import { findCompiler } from "./compiler.ts";
import { type FlakeProjectOptions, makeFlakeProject, writeProject } from "./flake-project.ts";

export interface CheckTypesOptions extends FlakeProjectOptions {
  /** Folder of `flake.config.ts`, absolute. */
  readonly directory: string;
  /** Default 300. */
  readonly timeoutSeconds?: number;
  /** The compiler's program. Default that of this Floe. */
  readonly compiler?: string;
}

/** Most that is read of what the compiler prints, in UTF-16 units. */
const MAX_OUTPUT = 4 * 1024 * 1024;
const FAULT = /^(?<file>.+?)\((?<line>\d+),(?<column>\d+)\): error (?<code>TS\d+): (?<message>.*)$/;

/**
 * Check a flake and all that it imports with the TypeScript compiler: against what exists in an evaluation, with the outputs of its
 * inputs and the options of their modules.
 *
 * The settings are Floe's and never those of a `tsconfig.json` beside the flake, so that a flake is right or wrong for everybody.
 *
 * @returns Every fault, by file and line: `flake.type-error`.
 * @throws {CodedError} `types.no-compiler`, `types.failed`, `flake.type-check-timeout`, `flake.type-check-crashed`
 */
export async function checkTypes(options: CheckTypesOptions): Promise<CodedError[]> {
  const { directory, compiler = findCompiler().program, signal } = options;
  signal?.throwIfAborted();
  const project = await makeFlakeProject(options);
  const folder = realpathSync(makeScratch("types"));
  try {
    const settings = writeProject(folder, project, { files: [join(directory, FLAKE_FILE_NAME)] });
    const { output, status } = await run(compiler, ["--pretty", "false", "--project", settings], folder, options);
    const faults = readFaults(output, folder);
    if (status === 0 || faults.length > 0) return faults;
    throw new CodedError("flake.type-check-crashed", "Cannot check the types of the flake: the compiler failed", {
      details: output.trim().split("\n").slice(-10),
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Outcome {
  readonly output: string;
  readonly status: number | null;
}

function run(program: string, words: readonly string[], cwd: string, options: CheckTypesOptions): Promise<Outcome> {
  const { signal, timeoutSeconds = 300 } = options;
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let failure: unknown;
    const end = (reason: unknown): void => {
      failure ??= reason;
      child.kill("SIGKILL");
    };
    const abort = (): void => end(signal?.reason);
    const timer = setTimeout(() => end(tooLong(timeoutSeconds)), timeoutSeconds * 1000);
    signal?.addEventListener("abort", abort, { once: true });
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        if (output.length < MAX_OUTPUT) output += text;
      });
    child.on("error", (error) => end(error));
    child.on("close", (status) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      if (failure === undefined) resolve({ output, status });
      else reject(failure);
    });
  });
}

function tooLong(seconds: number): CodedError {
  return new CodedError(
    "flake.type-check-timeout",
    `Cannot check the types of the flake: the compiler ran longer than ${seconds} seconds`,
    { hint: "Look for a type that is computed without end, or leave types out with --no-types." },
  );
}

/** Faults as the compiler prints them: a line with the place, and indented ones that explain it. */
function readFaults(output: string, folder: string): CodedError[] {
  const faults: { at: NonNullable<CodedError["at"]>; message: string; details: string[] }[] = [];
  for (const text of output.split("\n")) {
    const { file, line, column, code, message } = FAULT.exec(text)?.groups ?? {};
    if (file !== undefined) {
      const at = { file: join(file.startsWith("/") ? "" : folder, file), line: Number(line), column: Number(column) };
      faults.push({ at, message: `Cannot take the types for right: ${message} (${code})`, details: [] });
    } else if (/^\s+\S/.test(text)) {
      faults.at(-1)?.details.push(text.trim());
    }
  }
  return faults.map(({ at, message, details }) => new CodedError("flake.type-error", message, { at, details }));
}

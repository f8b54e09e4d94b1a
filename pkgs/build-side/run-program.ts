/**
 * Runs a program of a flake in the sandbox: gives it what `Build` of `core/program` promises, and tells its errors by its own files.
 *
 * Arguments: the folder with its files, and the one in there whose default export it is. The variable `inputsPath` names a file with its
 * inputs as JSON; `outputs` and the variables of these names say where the results belong.
 */
import { spawn } from "node:child_process";
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { registerHooks } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Build, FileTools, RunOptions } from "../../core/program/index.ts";

type ProgramFunction = (build: Build<object>) => unknown;

/** What programs import as `#floe/program`. */
export function defineProgram(run: ProgramFunction): { readonly kind: "program"; readonly run: ProgramFunction } {
  return { kind: "program", run };
}

const [, , folder = "", entry = ""] = process.argv;
const { env } = process;

registerHooks({
  resolve(specifier, context, next) {
    if (specifier === "#floe/program") return { url: import.meta.url, format: "module-typescript", shortCircuit: true };
    const found = next(addressOf(specifier, context.parentURL), context);
    const [, ending] = /\.m?([jt]s)$/.exec(found.url) ?? [];
    return ending === undefined ? found : { ...found, format: ending === "ts" ? "module-typescript" : "module" };
  },
});

/** As an evaluation reads it: a name of a file, in which no character has another meaning. */
function addressOf(specifier: string, importer: string | undefined): string {
  if (importer?.startsWith("file:") !== true || !/^\.{1,2}\//.test(specifier)) return specifier;
  return pathToFileURL(join(dirname(fileURLToPath(importer)), specifier)).href;
}

let ended = false;
process.on("exit", (code) => {
  if (ended || code !== 0) return;
  console.error(`${entry}: error: Cannot end the program: it waits for something that never happens`);
  process.exitCode = 1;
});
main().then(
  () => {
    ended = true;
    process.exit(0);
  },
  (error: unknown) => {
    console.error(told(error));
    process.exit(1);
  },
);

async function main(): Promise<void> {
  const { default: program } = (await import(pathToFileURL(join(folder, entry)).href)) as { default?: unknown };
  const { kind, run } = (program ?? {}) as Partial<ReturnType<typeof defineProgram>>;
  if (kind !== "program" || run === undefined)
    throw new Error(`Cannot run "${entry}": its default export is no program (export default defineProgram(…))`);
  const names = (env["outputs"] ?? "out").split(" ");
  const outputs = Object.fromEntries(names.map((name) => [name, env[name] ?? ""]));
  await run({
    inputs: JSON.parse(readFileSync(env["inputsPath"] ?? "", "utf8")) as object,
    out: outputs["out"] ?? outputs[names[0] ?? ""] ?? "",
    outputs,
    cores: Math.max(1, Number(env["NIX_BUILD_CORES"] ?? 1)),
    run: runOther,
    say: (line) => console.error(line),
    ...files,
  });
}

const files: FileTools = {
  read: (path) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(readFileSync(path)),
  readBytes: (path) => readFileSync(path),
  write(path, content, { executable = false } = {}) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    if (executable) chmodSync(path, 0o755);
  },
  exists: (path) => lstatSync(path, { throwIfNoEntry: false }) !== undefined,
  list: (path) =>
    readdirSync(path, { withFileTypes: true })
      .map((each) => ({
        name: each.name,
        kind: each.isDirectory()
          ? ("directory" as const)
          : each.isSymbolicLink()
            ? ("symlink" as const)
            : ("file" as const),
      }))
      .sort((one, other) => Buffer.compare(Buffer.from(one.name), Buffer.from(other.name))),
  makeFolder: (path) => void mkdirSync(path, { recursive: true }),
  copy(from, to) {
    mkdirSync(dirname(to), { recursive: true });
    cpSync(from, to, { recursive: true, verbatimSymlinks: true });
    makeWritable(to);
  },
  link(target, path) {
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(target, path);
  },
  remove: (path) => rmSync(path, { recursive: true, force: true }),
};

/** Nothing in the store can be written, and a copy has its modes. */
function makeWritable(path: string): void {
  const stat = lstatSync(path);
  if (stat.isSymbolicLink()) return;
  chmodSync(path, stat.mode | 0o200);
  if (stat.isDirectory()) for (const name of readdirSync(path)) makeWritable(join(path, name));
}

function runOther(program: string, args: readonly string[] = [], options: RunOptions = {}): Promise<string> {
  // Made here, so that it tells who called.
  const failure = new Error();
  Error.captureStackTrace(failure, runOther);
  const { cwd, input = "", env: more } = options;
  return new Promise((resolve, reject) => {
    const fail = (found: string): void => {
      failure.message = `Cannot run "${program}": ${found}`;
      reject(failure);
    };
    const child = spawn(program, args, { cwd, env: { ...env, ...more }, stdio: ["pipe", "pipe", "inherit"] });
    const output: Buffer[] = [];
    child.on("error", ({ message }) => fail(message));
    child.stdout.on("data", (bytes: Buffer) => output.push(bytes));
    // Who reads nothing may be gone before it is written.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    child.on("close", (code, signal) => {
      if (code === 0) resolve(Buffer.concat(output).toString("utf8"));
      else fail(signal === null ? `it ended with ${code}` : `it was ended by ${signal}`);
    });
  });
}

/** An error by the place in the program's own files where it came up, and the calls in these that led there. */
function told(error: unknown): string {
  if (!(error instanceof Error)) return `${entry}: error: the program threw ${String(error)}`;
  const own = `${pathToFileURL(folder).href}/`;
  const calls = (error.stack ?? "").split("\n").flatMap((line) => {
    const [, name, at = ""] = /^\s*at (?:(.*) \(|async )?(file:.*?)\)?$/.exec(line) ?? [];
    if (!at.startsWith(own)) return [];
    const place = at.slice(own.length).replace(/(?:%[0-9A-F]{2})+/g, decodeURIComponent);
    return [{ place, name }];
  });
  const [{ place } = { place: entry }, ...others] = calls;
  return [
    `${place}: error: ${error.message || error.name}`,
    ...others.map((call) => `  at ${[call.place, call.name].join(" ").trim()}`),
  ].join("\n");
}

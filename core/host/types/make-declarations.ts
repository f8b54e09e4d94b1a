import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CodedError, sortedText } from "../../base/index.ts";
import { fingerprintTree } from "../evaluator/tree-fingerprint.ts";
import { temporaryName } from "../files/write.ts";
import { findCompiler } from "./compiler.ts";
import { describeOptions } from "./describe-options.ts";
import { COMPILER_OPTIONS, GLOBALS } from "./settings.ts";
import { spellOutOptions } from "./spell-out-options.ts";

/** Changes when declarations of an older shape must not be used. */
const TYPES_VERSION = 2;

/** Parts of the engine that configuration may import. */
const FLOORS = ["core", "vm-tests", "modules", "pkgs"];

/** Declarations (`.d.ts`) of a source, in a folder of the cache that nobody changes any more. */
export interface Declarations {
  readonly folder: string;
  /** Files that add to the interfaces of Floe, such as the options of modules; relative to the folder, sorted. */
  readonly extending: readonly string[];
}

export interface DeclarationsOptions {
  /** Folder for all declarations of this user. */
  readonly cache: string;
  readonly signal?: AbortSignal | undefined;
}

/** Where each `#floe/…` has its declaration, as `paths` of TypeScript's settings. */
export function floePaths(engineTypes: string): Readonly<Record<string, readonly string[]>> {
  return { "#floe/vm-test": [`${engineTypes}/vm-tests/index`], "#floe/*": [`${engineTypes}/core/*/index`] };
}

/** The folder for declarations of this user. */
export function defaultTypesFolder(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const cache = env["XDG_CACHE_HOME"] || (env["HOME"] ? `${env["HOME"]}/.cache` : "/var/cache");
  return `${cache}/floe/types`;
}

/**
 * What configuration may import from an engine: `core/<floor>/index.d.ts` and so on, and `globals.d.ts`.
 *
 * @throws {CodedError} `types.no-compiler`, `types.failed`
 */
export async function declareEngine(engine: string, options: DeclarationsOptions): Promise<Declarations> {
  const compiler = findCompiler(engine);
  const counts = (relative: string): boolean => !/(^|\/)(host|testdata|node_modules)$|\.test\.ts$/.test(relative);
  const prints = FLOORS.filter((floor) => existsSync(join(engine, floor))).map(
    (floor) => fingerprintTree(join(engine, floor), counts).digest,
  );
  const key = keyOf(["engine", compiler.version, engine, ...prints]);
  return kept(key, options, (folder) =>
    fromCopy(`${folder}.source`, engine, FLOORS, async (copy) => {
      const floors = readdirSync(join(copy, "core")).filter(
        (floor) => floor !== "host" && existsSync(join(copy, "core", floor, "index.ts")),
      );
      const files = [...floors.map((floor) => `core/${floor}/index.ts`), "vm-tests/index.ts"];
      const paths = { "#floe/vm-test": [`${copy}/vm-tests/index.ts`], "#floe/*": [`${copy}/core/*/index.ts`] };
      await emit({ files, paths, rootDir: copy, folder, signal: options.signal, of: "Floe" });
      writeFileSync(join(folder, "globals.d.ts"), GLOBALS);
    }),
  );
}

/** A flake among the inputs, at its place in the store. */
export interface DeclaredFlake {
  /** Store path, which says what the content is. */
  readonly storePath: string;
  /** Where that is on this machine. */
  readonly hostPath: string;
  /** Folder of the flake in it, empty for the top. */
  readonly dir: string;
  /** For people. */
  readonly name: string;
  /** Text of a declaration file that says what its own inputs are. */
  readonly inputsText: string;
}

/**
 * Declarations of all that the `flake.config.ts` of an input imports.
 *
 * @throws {CodedError} `types.no-compiler`, `types.failed`
 */
export async function declareInput(
  flake: DeclaredFlake,
  engineTypes: Declarations,
  options: DeclarationsOptions,
): Promise<Declarations> {
  const { storePath, hostPath, dir, name, inputsText } = flake;
  const key = keyOf(["input", engineTypes.folder, storePath, dir, inputsText]);
  return kept(key, options, (folder) =>
    fromCopy(`${folder}.source`, hostPath, [""], async (copy) => {
      const files = [join(dir, "flake.config.ts")];
      const paths = floePaths(engineTypes.folder);
      await emit({ files, paths, rootDir: copy, folder, signal: options.signal, of: name, inputsText });
    }),
  );
}

/** Make a folder under a name that says what it is made from, unless it is there. */
async function kept(
  key: string,
  { cache }: DeclarationsOptions,
  make: (folder: string) => Promise<void>,
): Promise<Declarations> {
  const folder = join(cache, key);
  if (!existsSync(folder)) {
    mkdirSync(cache, { recursive: true, mode: 0o700 });
    const temporary = temporaryName(folder);
    try {
      mkdirSync(temporary);
      await make(temporary);
      writeFileSync(join(temporary, "extending.json"), JSON.stringify(findExtending(temporary)));
      renameSync(temporary, folder);
    } catch (error) {
      // Somebody else may have made the same in the meantime.
      if (!existsSync(folder)) throw error;
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  }
  const extending = JSON.parse(readFileSync(join(folder, "extending.json"), "utf8")) as string[];
  return { folder, extending };
}

function findExtending(folder: string): string[] {
  const extending = /^declare module "#floe\//m;
  return sortedText(
    declarationFiles(folder).filter((name) => extending.test(readFileSync(join(folder, name), "utf8"))),
  );
}

function declarationFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".d.ts"));
}

/** Work with a copy of a source that says as comments what editors show, and the source says in another way. */
async function fromCopy(
  copy: string,
  source: string,
  parts: readonly string[],
  work: (copy: string) => Promise<void>,
): Promise<void> {
  try {
    for (const part of parts) if (existsSync(join(source, part))) copySources(join(source, part), join(copy, part));
    await work(copy);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** Modules of a source, with the descriptions of options as comments. Links stay behind: what they lead to is checked elsewhere. */
function copySources(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const { name } = entry;
    if (entry.isDirectory() && name !== "node_modules" && name !== ".git")
      copySources(join(from, name), join(to, name));
    if (!entry.isFile() || !/\.(ts|mts|js|mjs|json)$/.test(name) || name.endsWith(".test.ts")) continue;
    const text = readFileSync(join(from, name), "utf8");
    writeFileSync(join(to, name), name.endsWith("ts") ? describeOptions(text) : text);
  }
}

function spellOutAll(folder: string): void {
  for (const name of declarationFiles(folder)) {
    const file = join(folder, name);
    const text = readFileSync(file, "utf8");
    const spelled = spellOutOptions(text);
    if (spelled !== text) writeFileSync(file, spelled);
  }
}

interface EmitOptions {
  /** Relative to `rootDir`. */
  readonly files: readonly string[];
  readonly paths: Readonly<Record<string, readonly string[]>>;
  readonly rootDir: string;
  readonly folder: string;
  readonly signal: AbortSignal | undefined;
  /** For people. */
  readonly of: string;
  readonly inputsText?: string;
}

/** Declarations are made without a check: mistakes of an input are for its authors, and what can be told of it is told. */
async function emit({ files, paths, rootDir, folder, signal, of, inputsText = "" }: EmitOptions): Promise<void> {
  const { program } = findCompiler();
  const project = `${folder}.tsconfig.json`;
  const inputs = `${folder}.inputs.d.ts`;
  const compilerOptions = {
    ...COMPILER_OPTIONS,
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    noCheck: true,
    types: [],
    rootDir,
    outDir: folder,
    paths,
  };
  try {
    writeFileSync(inputs, inputsText);
    const all = [...files.map((file) => join(rootDir, file)), inputs];
    writeFileSync(project, JSON.stringify({ compilerOptions, files: all }));
    const said = await run(program, ["-p", project, "--pretty", "false"], signal);
    if (files.every((file) => existsSync(join(folder, file.replace(/\.ts$/, ".d.ts"))))) return spellOutAll(folder);
    throw new CodedError("types.failed", `Cannot make the declarations of ${of}: the compiler wrote none`, {
      details: said
        .split("\n")
        .filter((line) => line !== "")
        .slice(0, 5),
    });
  } finally {
    for (const file of [project, inputs]) rmSync(file, { force: true });
  }
}

function run(program: string, words: readonly string[], signal: AbortSignal | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, {
      stdio: ["ignore", "pipe", "pipe"],
      ...(signal === undefined ? {} : { signal }),
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        said += text;
      });
    child.on("error", reject);
    child.on("close", () => resolve(said));
  });
}

function keyOf(parts: readonly string[]): string {
  return createHash("sha256")
    .update([TYPES_VERSION, ...parts].join("\0"))
    .digest("hex")
    .slice(0, 32);
}

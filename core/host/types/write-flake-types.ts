import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ResolvedInputs } from "../../flake/index.ts";
import { findEngine, FLAKE_FILE_NAME } from "../evaluator/index.ts";
import { writeFileAtomic } from "../files/write.ts";
import { type Declarations, declareEngine, declareInput, defaultTypesFolder, floePaths } from "./make-declarations.ts";
import { COMPILER_OPTIONS } from "./settings.ts";
import { TYPES_FOLDER } from "./types-folder.ts";

export interface FlakeTypesOptions {
  /** Folder of `flake.config.ts`. */
  readonly directory: string;
  readonly resolved: ResolvedInputs;
  /** Where a store path is on this machine. */
  readonly hostPath: (storePath: string) => string;
  /** Folder for declarations. Default that of the user. */
  readonly cache?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What was written for one flake. */
export interface FlakeTypes {
  /** The settings to extend. */
  readonly settings: string;
  /** The flake's own `tsconfig.json`, when it had none and was given one. */
  readonly project?: string;
  /** Inputs whose options are known, by name. */
  readonly inputs: readonly string[];
}

/**
 * Write `.floe` beside a flake: `tsconfig.json`, which leads `#floe/…` to the declarations of this Floe, and the declarations
 * of the flake's inputs, whose modules add their options. A flake without a `tsconfig.json` gets one that extends it.
 *
 * @throws {CodedError} `types.no-compiler`, `types.failed`
 */
export async function writeFlakeTypes(options: FlakeTypesOptions): Promise<FlakeTypes> {
  const { directory, resolved, hostPath, cache = defaultTypesFolder(), signal } = options;
  const engine = await declareEngine(findEngine(), { cache, signal });
  const inputs: [string, Declarations][] = [];
  for (const [id, { storePath, locked, isFlake }] of inOrder(resolved)) {
    const dir = locked.dir ?? "";
    const host = hostPath(storePath);
    if (!isFlake || !existsSync(join(host, dir, FLAKE_FILE_NAME))) continue;
    const flake = { storePath, hostPath: host, dir, name: `the input ${id}` };
    inputs.push([id, await declareInput(flake, engine, { cache, signal })]);
  }
  const known = withoutTwins(inputs);
  const folder = join(directory, TYPES_FOLDER);
  const typeFolder = join(folder, "types/floe-inputs");
  mkdirSync(typeFolder, { recursive: true });
  writeChanged(join(folder, ".gitignore"), "*\n");
  writeChanged(join(typeFolder, "index.d.ts"), inputsText(engine, known));
  const settings = join(folder, "tsconfig.json");
  const compilerOptions = {
    ...COMPILER_OPTIONS,
    typeRoots: ["./types"],
    types: ["floe-inputs"],
    paths: floePaths(engine.folder),
  };
  writeChanged(settings, json({ compilerOptions, include: ["../**/*.ts"], exclude: ["../**/node_modules"] }));
  const project = join(directory, "tsconfig.json");
  const own = existsSync(project);
  if (!own) writeFileAtomic(project, json({ extends: `./${TYPES_FOLDER}/tsconfig.json` }));
  return { settings, ...(own ? {} : { project }), inputs: known.map(([id]) => id) };
}

/** The flake's own inputs, then theirs. */
function inOrder({ inputs, nodes }: ResolvedInputs): (readonly [string, NonNullable<ReturnType<typeof nodes.get>>])[] {
  const order = new Set(Object.values(inputs));
  for (const id of order) for (const next of Object.values(nodes.get(id)?.inputs ?? {})) order.add(next);
  return [...order].flatMap((id) => {
    const node = nodes.get(id);
    return node === undefined ? [] : [[id, node] as const];
  });
}

/** Two states of one flake declare the same options: the one nearer to the user counts. */
function withoutTwins(inputs: readonly [string, Declarations][]): readonly [string, Declarations][] {
  const seen = new Set<string>();
  return inputs.filter(([, { extending }]) => {
    const key = extending.join("\n");
    if (key === "" || seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function inputsText(engine: Declarations, inputs: readonly [string, Declarations][]): string {
  const lines = [`/// <reference path="${engine.folder}/globals.d.ts" />`];
  for (const [id, { folder, extending }] of inputs) {
    lines.push("", `// The input ${id}.`);
    for (const file of extending) lines.push(`import "${folder}/${file.replace(/\.d\.ts$/, ".js")}";`);
  }
  return `${lines.join("\n")}\n`;
}

function json(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

/** An editor that looks at a file need not look again when it says the same. */
function writeChanged(file: string, text: string): void {
  if (!existsSync(file) || readFileSync(file, "utf8") !== text) writeFileAtomic(file, text);
}

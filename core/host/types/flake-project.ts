import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ResolvedInput, ResolvedInputs } from "../../flake/index.ts";
import { findEngine, FLAKE_FILE_NAME } from "../evaluator/index.ts";
import { writeFileAtomic } from "../files/write.ts";
import { type Declarations, declareEngine, declareInput, defaultTypesFolder, floePaths } from "./make-declarations.ts";
import { COMPILER_OPTIONS } from "./settings.ts";

export interface FlakeProjectOptions {
  readonly resolved: ResolvedInputs;
  /** Where a store path is on this machine. */
  readonly hostPath: (storePath: string) => string;
  /** Folder for declarations. Default that of the user. */
  readonly cache?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What the compiler has to know to check a flake. */
export interface FlakeProject {
  readonly engine: Declarations;
  /** Text of a declaration file: what an evaluation has, the outputs of the inputs, and the options of their modules. */
  readonly inputsText: string;
  /** Inputs whose options are known, by name. */
  readonly inputs: readonly string[];
}

/**
 * Find out what the compiler has to know to check a flake, making declarations of the engine and of every input.
 *
 * @throws {CodedError} `types.no-compiler`, `types.failed`
 */
export async function makeFlakeProject(options: FlakeProjectOptions): Promise<FlakeProject> {
  const { resolved, hostPath, cache = defaultTypesFolder(), signal } = options;
  const engine = await declareEngine(findEngine(), { cache, signal });
  const found: Found = new Map();
  const inputsOf = async (inputs: Inputs): Promise<Pick<FlakeProject, "inputsText" | "inputs">> => {
    const near = inOrder(inputs, resolved);
    for (const node of near) await find(node);
    const known = withoutTwins(near.flatMap(({ id }) => declarationsOf(id, found)));
    const inputsText = [...headLines(engine, known), ...memberLines(inputs, resolved, found), ""].join("\n");
    return { inputsText, inputs: known.map(([id]) => id) };
  };
  const find = async ({ id, storePath, locked: { dir = "" }, isFlake, inputs }: ResolvedInput): Promise<void> => {
    if (found.has(id)) return;
    const folder = hostPath(storePath);
    if (!isFlake || !existsSync(join(folder, dir, FLAKE_FILE_NAME))) return void found.set(id, "source");
    found.set(id, "open");
    const flake = { storePath, hostPath: folder, dir, name: `the input ${id}`, ...(await inputsOf(inputs)) };
    found.set(id, await declareInput(flake, engine, { cache, signal }));
  };
  return { engine, ...(await inputsOf(resolved.inputs)) };
}

/**
 * Write the settings for the compiler, and beside them the declarations of the inputs.
 *
 * @param what `files` or `include` of the settings.
 * @returns The file with the settings.
 */
export function writeProject(folder: string, { engine, inputsText: text }: FlakeProject, what: object): string {
  const types = join(folder, "types/floe-inputs");
  mkdirSync(types, { recursive: true });
  writeChanged(join(types, "index.d.ts"), text);
  const settings = join(folder, "tsconfig.json");
  const compilerOptions = {
    ...COMPILER_OPTIONS,
    typeRoots: ["./types"],
    types: ["floe-inputs"],
    paths: floePaths(engine.folder),
  };
  writeChanged(settings, `${JSON.stringify({ compilerOptions, ...what }, undefined, 2)}\n`);
  return settings;
}

/** An editor that looks at a file need not look again when it says the same. */
export function writeChanged(file: string, text: string): void {
  if (!existsSync(file) || readFileSync(file, "utf8") !== text) writeFileAtomic(file, text);
}

type Inputs = ResolvedInputs["inputs"];

/** What is known of inputs, by id; an input that needs itself is `open` inside itself, and its outputs are anything there. */
type Found = Map<string, Declarations | "source" | "open">;

/** Inputs of a flake, then theirs. */
function inOrder(inputs: Inputs, { nodes }: ResolvedInputs): ResolvedInput[] {
  const order = new Set(Object.values(inputs));
  for (const id of order) for (const next of Object.values(nodes.get(id)?.inputs ?? {})) order.add(next);
  return [...order].flatMap((id) => nodes.get(id) ?? []);
}

function declarationsOf(id: string, found: Found): [string, Declarations][] {
  const declarations = found.get(id);
  return typeof declarations === "object" ? [[id, declarations]] : [];
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

function headLines(engine: Declarations, known: readonly [string, Declarations][]): string[] {
  const lines = [
    `/// <reference path="${engine.folder}/globals.d.ts" />`,
    'import type { InputOf, SourceInput } from "#floe/flake";',
  ];
  for (const [id, { folder, extending }] of known) {
    lines.push("", `// Options of the input ${id}.`);
    for (const file of extending) lines.push(`import "${folder}/${asModule(file)}";`);
  }
  return lines;
}

function memberLines(inputs: Inputs, { nodes }: ResolvedInputs, found: Found): string[] {
  const members = Object.entries(inputs).flatMap(([name, id]) => {
    const known = found.get(id);
    if (known === undefined || known === "open") return [];
    const file = known === "source" ? "" : join(known.folder, nodes.get(id)?.locked.dir ?? "", FLAKE_FILE_NAME);
    const type = known === "source" ? "SourceInput" : `InputOf<typeof import("${asModule(file)}").default>`;
    return [`    readonly ${JSON.stringify(name)}: ${type};`];
  });
  return ["", 'declare module "#floe/flake" {', "  interface InputTypes {", ...members, "  }", "}"];
}

/** How a file is imported that has a declaration. */
function asModule(file: string): string {
  return file.replace(/(\.d)?\.ts$/, ".js");
}

import { createHash } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, readFileSync } from "node:fs";
import { formatLock } from "../../flake/index.ts";
import { writeFileAtomic } from "../files/write.ts";
import { findEngine } from "./engine.ts";
import { type FlakeLocation, placesOf, type Question } from "./locked-flake.ts";
import { type EvaluationPlan, lazyPlan } from "./plan.ts";
import type { EvaluationResult } from "./evaluate.ts";
import type { FileRead, TreeRead } from "./protocol.ts";
import { StrippedCache } from "./stripped-cache.ts";
import { fingerprintTree } from "./tree-fingerprint.ts";

/** Changes when records of an older shape must not be read. */
const RECORD_VERSION = 1;

interface RecordFile {
  readonly version: typeof RECORD_VERSION;
  readonly result: Omit<EvaluationResult, "plan" | "faults" | "fromRecord" | "filesRead" | "onHost">;
  readonly roots: readonly string[];
  readonly files: readonly FileRead[];
  readonly trees: readonly TreeRead[];
}

/** Answers to questions that were asked before, for as long as nothing they were made from changes. */
export class Records {
  readonly #folder: string;

  /** @param folder Where they are kept; made when the first one is. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The answer to a question, if every file it was made from is as it was. */
  find(flake: FlakeLocation, question: Question): EvaluationResult | undefined {
    const key = keyOf(flake, question);
    const record = this.#read(key);
    if (record === undefined || !isCurrent(record, flake)) return undefined;
    const plan = lazyPlan(
      record.roots,
      () =>
        JSON.parse(readFileSync(`${this.#folder}/${key}.plan.json`, "utf8")) as Pick<
          EvaluationPlan,
          "derivations" | "sources"
        >,
    );
    const places = placesOf(flake);
    return {
      ...record.result,
      faults: [],
      plan,
      filesRead: record.files,
      fromRecord: true,
      onHost: (text) => places.onHost(text),
    };
  }

  /** Keep an answer. A cache that cannot be written is no reason to fail. */
  keep(flake: FlakeLocation, question: Question, result: EvaluationResult, trees: readonly TreeRead[]): void {
    const { plan, filesRead, faults: _, fromRecord: __, onHost: ___, ...rest } = result;
    const key = keyOf(flake, question);
    const planJson = JSON.stringify({ derivations: plan.derivations, sources: plan.sources });
    const record: RecordFile = { version: RECORD_VERSION, result: rest, roots: plan.roots, files: filesRead, trees };
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      writeFileAtomic(`${this.#folder}/${key}.plan.json`, planJson, { mode: 0o600 });
      writeFileAtomic(`${this.#folder}/${key}.json`, JSON.stringify(record), { mode: 0o600 });
    } catch {
      return;
    }
  }

  /** Modules of a flake that are loaded already. */
  modulesOf(configFile: string): StrippedCache {
    return new StrippedCache(`${this.#folder}/modules`, configFile);
  }

  #read(key: string): RecordFile | undefined {
    let record: RecordFile;
    try {
      record = JSON.parse(readFileSync(`${this.#folder}/${key}.json`, "utf8")) as RecordFile;
    } catch {
      // Absent, or cut short by a full disk.
      return undefined;
    }
    return record.version === RECORD_VERSION && existsSync(`${this.#folder}/${key}.plan.json`) ? record : undefined;
  }
}

function keyOf(flake: FlakeLocation, question: Question): string {
  const engine = findEngine();
  return sha256(
    JSON.stringify([
      RECORD_VERSION,
      process.version,
      engine,
      // The files of the engine that run outside of the realm are not among those the evaluation reads.
      fingerprintTree(`${engine}/core/host/evaluator`, () => true),
      flake.directory,
      flake.sourceDirectory,
      formatLock(flake.lock),
      question.want,
      question.attribute,
      question.candidates,
      ...(question.expression === undefined ? [] : [question.expression]),
    ]),
  );
}

function isCurrent({ files, trees }: RecordFile, flake: FlakeLocation): boolean {
  const listed = flake.files === undefined ? undefined : new Set(flake.files);
  const prefix = `${flake.sourceDirectory}/`;
  const engine = `${findEngine()}/`;
  return (
    files.every(
      (file) =>
        (listed === undefined ||
          !file.path.startsWith(prefix) ||
          file.path.startsWith(engine) ||
          listed.has(file.path.slice(prefix.length))) &&
        isSameFile(file),
    ) && trees.every((tree) => isSameTree(tree, flake))
  );
}

function isSameFile({ path, size, mtimeNs, ino, sha256: expected }: FileRead): boolean {
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined || !stat.isFile() || Number(stat.size) !== size) return false;
  if (String(stat.mtimeNs) === mtimeNs && String(stat.ino) === ino) return true;
  return sha256(readFileSync(path)) === expected;
}

function isSameTree({ path, fingerprint }: TreeRead, flake: FlakeLocation): boolean {
  if (!existsSync(path)) return false;
  const prefix = path === flake.sourceDirectory ? "" : `${path.slice(flake.sourceDirectory.length + 1)}/`;
  const inFlake = path === flake.sourceDirectory || path.startsWith(`${flake.sourceDirectory}/`);
  const listed = inFlake && flake.files !== undefined ? withFolders(flake.files) : undefined;
  return fingerprintTree(path, (relative) => listed?.has(prefix + relative) ?? true) === fingerprint;
}

const folderSets = new WeakMap<readonly string[], ReadonlySet<string>>();

/** The files and every folder above one of them. */
function withFolders(files: readonly string[]): ReadonlySet<string> {
  let all = folderSets.get(files) as Set<string> | undefined;
  if (all !== undefined) return all;
  all = new Set(files);
  for (const file of files) {
    for (let slash = file.lastIndexOf("/"); slash > 0; slash = file.lastIndexOf("/", slash - 1))
      all.add(file.slice(0, slash));
  }
  folderSets.set(files, all);
  return all;
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** The folder for records of this user. */
export function defaultRecordsFolder(
  env: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  const cache = env["XDG_CACHE_HOME"] || (env["HOME"] ? `${env["HOME"]}/.cache` : undefined);
  return cache === undefined ? undefined : `${cache}/floe/evaluations`;
}

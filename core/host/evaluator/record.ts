import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, readFileSync, readlinkSync } from "node:fs";
import { formatLock } from "../../flake/index.ts";
import { userCacheFolder } from "../answers/kept-files.ts";
import { writeFileAtomic } from "../files/write.ts";
import { engineBundle, findEngine } from "./engine.ts";
import { type FlakeLocation, placesOf, type Question } from "./locked-flake.ts";
import { type EvaluationPlan, lazyPlan } from "./plan.ts";
import type { EvaluationResult } from "./evaluate.ts";
import type { FileRead, TreeRead, WayRead } from "./protocol.ts";
import { ModuleCache } from "./module-cache.ts";
import { tellPlaces, type ToldPlaces } from "./refine-places.ts";
import { fingerprintEntries, fingerprintNames, fingerprintTree, listTree } from "./tree-fingerprint.ts";
import { trimRecords } from "./trim-records.ts";
import { pathsOfReads } from "./watch-record.ts";

/** Changes when records of an older shape must not be read. */
const RECORD_VERSION = 4;

interface RecordFile {
  readonly version: typeof RECORD_VERSION;
  readonly result: Omit<
    EvaluationResult,
    "plan" | "faults" | "fromRecord" | "filesRead" | keyof ToldPlaces | "watched"
  >;
  readonly roots: readonly string[];
  readonly files: readonly FileRead[];
  readonly trees: readonly TreeRead[];
  readonly ways: readonly WayRead[];
  /** Of the plan that belongs to it: another process may be writing another answer to the same question. */
  readonly planSha256: string;
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
    const planJson = readText(`${this.#folder}/${key}.plan.json`);
    if (planJson === undefined || sha256(planJson) !== record.planSha256) return undefined;
    const plan = lazyPlan(record.roots, () => JSON.parse(planJson) as Pick<EvaluationPlan, "derivations" | "sources">);
    const places = placesOf(flake);
    return {
      ...record.result,
      faults: [],
      plan,
      filesRead: record.files,
      fromRecord: true,
      ...tellPlaces(places),
      watched: () => pathsOfReads(record, (path) => countsIn(flake, path)),
    };
  }

  /** Keep an answer. A cache that cannot be written is no reason to fail. */
  keep(
    flake: FlakeLocation,
    question: Question,
    result: EvaluationResult,
    others: Pick<RecordFile, "trees" | "ways">,
  ): void {
    // Functions are left out of JSON.
    const { plan, filesRead, faults: _, fromRecord: __, watched: ___, ...rest } = result;
    const key = keyOf(flake, question);
    const planJson = JSON.stringify({ derivations: plan.derivations, sources: plan.sources });
    const record: RecordFile = {
      version: RECORD_VERSION,
      result: rest,
      roots: plan.roots,
      files: filesRead,
      ...others,
      planSha256: sha256(planJson),
    };
    const recordJson = JSON.stringify(record);
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      writeFileAtomic(`${this.#folder}/${key}.plan.json`, planJson, { mode: 0o600 });
      writeFileAtomic(`${this.#folder}/${key}.json`, `${sha256(recordJson)}\n${recordJson}`, { mode: 0o600 });
      // New questions are what makes them grow; one in sixteen of these is often enough.
      if (key.startsWith("0")) trimRecords(this.#folder);
    } catch {
      return;
    }
  }

  /** Modules of a flake that are loaded already. @param configFile Its file on this machine: inside, all flakes have the same name. */
  modulesOf(configFile: string): ModuleCache {
    return new ModuleCache(`${this.#folder}/modules`, configFile);
  }

  /** `undefined` for one that is absent, cut short by a full disk, or damaged. */
  #read(key: string): RecordFile | undefined {
    const [digest, json] = readText(`${this.#folder}/${key}.json`)?.split("\n", 2) ?? [];
    if (json === undefined || sha256(json) !== digest) return undefined;
    const record = JSON.parse(json) as RecordFile;
    return record.version === RECORD_VERSION ? record : undefined;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function keyOf(flake: FlakeLocation, question: Question): string {
  const engine = findEngine();
  return sha256(
    JSON.stringify([
      RECORD_VERSION,
      process.version,
      engine,
      // What runs outside of the realm is not among the files that the evaluation reads, and of a bundle nothing is.
      engineBundle() ?? fingerprintTree(`${engine}/core/host/evaluator`, () => true).digest,
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

function isCurrent({ files, trees, ways }: RecordFile, flake: FlakeLocation): boolean {
  const listed = flake.files === undefined ? undefined : new Set(flake.files);
  const prefix = `${flake.sourceDirectory}/`;
  const engine = `${findEngine()}/`;
  return (
    ways.every(isSameWay) &&
    files.every(
      (file) =>
        (listed === undefined ||
          !file.path.startsWith(prefix) ||
          file.path.startsWith(engine) ||
          listed.has(file.path.slice(prefix.length))) &&
        isSameFile(file),
    ) &&
    trees.every((tree) => isSameTree(tree, flake))
  );
}

function isSameWay({ path, target }: WayRead): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (target === undefined) return stat?.isDirectory() === true;
  return stat?.isSymbolicLink() === true && readlinkSync(path) === target;
}

function isSameFile({ path, size, ctimeNs, ino, sha256: expected }: FileRead): boolean {
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined || !stat.isFile() || Number(stat.size) !== size) return false;
  if (String(stat.ctimeNs) === ctimeNs && String(stat.ino) === ino) return true;
  return sha256(readFileSync(path)) === expected;
}

function isSameTree({ path, of, fingerprint }: TreeRead, flake: FlakeLocation): boolean {
  const counts = (relative: string): boolean => countsIn(flake, `${path}/${relative}`);
  try {
    if (of === undefined) return fingerprintTree(path, counts).digest === fingerprint;
    if (of === "names") return fingerprintNames(listTree(path, counts)) === fingerprint;
    return of.every(counts) && fingerprintEntries(path, of).digest === fingerprint;
  } catch {
    // It is gone, or a folder became a file.
    return false;
  }
}

/** Whether an entry of a tree counts: all of it does, but of a checkout what git counts. */
function countsIn({ files, sourceDirectory }: FlakeLocation, path: string): boolean {
  if (files === undefined || !path.startsWith(`${sourceDirectory}/`)) return true;
  return withFolders(files).has(path.slice(sourceDirectory.length + 1));
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
  const cache = userCacheFolder(env);
  return cache === undefined ? undefined : `${cache}/evaluations`;
}

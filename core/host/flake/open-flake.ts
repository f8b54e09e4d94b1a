import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { CodedError, hashBytes, type SourceLocation } from "../../base/index.ts";
import {
  attributeCandidates,
  type DeclaredInputs,
  findStaleInputs,
  type FlakeReference,
  type FlakeSettings,
  formatLock,
  formatReference,
  locateDefinition,
  locateInput,
  LOCK_FILE_NAME,
  type LockChange,
  type LockedSource,
  type LockFile,
  lockInputs,
  parseReference,
  placeAt,
  type Registry,
  resolveNamed,
  tryParseNamed,
  withoutCredentials,
} from "../../flake/index.ts";
import {
  type BuildsNeeded,
  defaultRecordsFolder,
  evaluate,
  takeEarlyStart,
  type EvaluationResult,
  type Expression,
  FLAKE_FILE_NAME,
  type LockedFlake,
  type Question,
  readEvaluationSettings,
  Records,
  type RunChildOptions,
  type Want,
} from "../evaluator/index.ts";
import type { StorePath } from "../../store/index.ts";
import type { Watched } from "../answers/index.ts";
import { type Access, openAccess } from "../fetch/access.ts";
import { writeFileAtomic } from "../files/write.ts";
import { ownSettingsPlaces } from "../process/settings-files.ts";
import type { FetchContext } from "./fetch-source.ts";
import { findFlake, type FoundFlake, untrackedNotice } from "./find-flake.ts";
import type { Substituters } from "../substitute/index.ts";
import { parseLock } from "./read-lock.ts";
import { defaultRegistryPlaces, readRegistry } from "./registry.ts";
import { defaultMemoryFolder, SourceMemory } from "./source-memory.ts";
import type { SourceStore } from "./source-store.ts";

export interface OpenFlakeOptions {
  /** A folder (`.`, `/path`), a reference (`github:OWNER/REPO`), or a name of the registry (`NAME`, `flake:NAME/BRANCH`). */
  readonly reference: string;
  /** What relative folders count from. */
  readonly cwd: string;
  /** Where inputs are put. */
  readonly store: SourceStore;
  /** Fail when the lock does not fit, in place of completing it. Default false. */
  readonly locked?: boolean;
  /** What takes the place of inputs, whatever is declared: a reference by the path of an input, `b/c`. Default none. */
  readonly replace?: ReadonlyMap<string, string> | undefined;
  /** A lock file to begin from, in place of the flake's own. */
  readonly referenceLockFile?: string | undefined;
  /** A file to write the lock to, in place of the flake's own. */
  readonly outputLockFile?: string | undefined;
  /** Write the lock when it was completed on the way to something else. Default true, but false where inputs are replaced. */
  readonly writeLock?: boolean | undefined;
  /** What names stand for, the registry that counts most first. Default that of the command, the user and the system. */
  readonly registries?: readonly Registry[] | undefined;
  /** Names that count before those of the registries. Default none. */
  readonly names?: Registry | undefined;
  /** Fetch from this machine alone. Default false. */
  readonly offline?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Words for people: what is fetched, what was locked, which files git does not know. */
  readonly onNotice?: ((text: string) => void) | undefined;
  /** Folder for answers of earlier evaluations; `false` for none. Default that of the user. */
  readonly records?: string | false;
  /** Folder in which it is remembered what was fetched; `false` for none. Default that of the user. */
  readonly memory?: string | false;
  /** Who asks, for servers that want to know. Default the user of this machine. */
  readonly access?: Access;
  /** Stores that may have locked sources already; whoever gives them closes them. Default none. */
  readonly substituters?: (() => Promise<Substituters | undefined>) | undefined;
  /** Time limit of one evaluation. Default 300. */
  readonly timeoutSeconds?: number;
  /** Heap of one evaluation. Default 2048. */
  readonly memoryMiB?: number;
  /** Makes outputs valid in the store that evaluations read. Default: such evaluations are refused. */
  readonly build?: ((needed: BuildsNeeded) => Promise<void>) | undefined;
  /** Called with what the flake wants commands to do, before anything is fetched for it; once. */
  readonly onSettings?: ((settings: FlakeSettings) => Promise<void>) | undefined;
  /** Called with where the time of each evaluation went; then none is answered from the record of an earlier one. */
  readonly onProfile?: RunChildOptions["onProfile"];
  /** Who is asked what to do where an evaluation stops; as with `onProfile`. */
  readonly debugger?: RunChildOptions["debugger"];
}

export interface EvaluateFlakeOptions {
  /** As a user writes it: `hello`, `packages.x86_64-linux.hello`; empty or `default` for the default. */
  readonly attribute: string;
  /** Outputs a short name is looked for in. Default packages, systems, vmTests, apps, checks. */
  readonly kinds?: readonly string[];
  /** Exact places to look, in place of what `attribute` and `kinds` amount to; the members that `show` and `check` are for. */
  readonly candidates?: readonly (readonly string[])[];
  /** Default value. */
  readonly want?: Exclude<Want, "inputs">;
  /** What becomes of the value, or an expression over the outputs in its place. */
  readonly expression?: Expression | undefined;
  /** Default `x86_64-linux` or `aarch64-linux`, as this machine is. */
  readonly platform?: string;
}

export interface LockOptions {
  /** Inputs to move although they are locked. Default none. */
  readonly update?: "none" | "all" | readonly string[];
  /** Write the lock file. Default true. */
  readonly write?: boolean;
}

export interface LockResult {
  readonly lock: LockFile;
  readonly changes: readonly LockChange[];
  /** The file that was written; absent when nothing changed. */
  readonly written?: string;
}

/**
 * Open the flake a user named.
 *
 * @throws {CodedError} `flake.not-found`, `flake-reference.*`, `flake.lock-malformed`, `git.*`
 */
export async function openFlake(options: OpenFlakeOptions): Promise<OpenFlake> {
  const reference = referenceOf(options.reference, options);
  if (reference === undefined || reference.kind === "path") {
    const path =
      reference === undefined
        ? options.reference
        : reference.dir === undefined
          ? reference.path
          : `${reference.path}/${reference.dir}`;
    const found = await findFlake(path, options.cwd, () => {
      options.store.prepareTempRoots?.();
      // Node's cryptography is loaded with the first one.
      hashBytes("sha256", "");
    });
    return new OpenFlake(withReferenceLock(found, options), options, true);
  }
  const { fetchReference } = await import("./fetch-source.ts");
  const { readLock } = await import("./read-lock.ts");
  const { locked, storePath } = await fetchReference(
    reference,
    { folder: options.cwd, name: "the command" },
    [],
    contextOf(options),
  );
  const sourceDirectory = options.store.realPath(storePath);
  const directory = locked.dir === undefined ? sourceDirectory : `${sourceDirectory}/${locked.dir}`;
  if (!existsSync(`${directory}/${FLAKE_FILE_NAME}`)) {
    throw new CodedError(
      "flake.not-found",
      `Cannot find a flake in "${withoutCredentials(formatReference(reference))}": no ${FLAKE_FILE_NAME} there`,
    );
  }
  const location = { directory, sourceDirectory, lock: readLock(directory), untracked: [] };
  return new OpenFlake(withReferenceLock(location, options), options, false, formatReference(reference));
}

/**
 * Fetch what a user named into the store, and say what it is now.
 *
 * @throws {CodedError} as {@link openFlake}
 */
export async function fetchFlake(options: OpenFlakeOptions): Promise<LockedSource> {
  const { fetchReference } = await import("./fetch-source.ts");
  const { reference: text, cwd } = options;
  const reference = referenceOf(text, options) ?? parseReference(`path:${resolve(cwd, text)}`);
  const base = { folder: cwd, name: "the command" };
  return (await fetchReference(reference, base, [], contextOf(options))).locked;
}

/**
 * Clone the repository that a user named, with its history; a folder means the checkout it lies in.
 *
 * @returns the commit that is checked out.
 * @throws {CodedError} `flake.no-repository`, and those of `cloneRepository`
 */
export async function cloneFlake(options: OpenFlakeOptions, destination: string): Promise<string> {
  const { reference: text, cwd, signal, access = openAccess(ownSettingsPlaces(), options.onNotice) } = options;
  const { cloneRepository, findCheckoutRoot } = await import("../git/index.ts");
  const named = referenceOf(text, options) ?? parseReference(`path:${resolve(cwd, text)}`);
  const folder = named.kind === "path" ? resolve(cwd, named.path) : undefined;
  const root = folder !== undefined && existsSync(folder) ? findCheckoutRoot(folder) : undefined;
  const reference = root === undefined ? named : ({ kind: "git", url: pathToFileURL(root).href } as const);
  if (reference.kind === "git") return cloneRepository({ reference, destination, access, signal });
  throw new CodedError(
    "flake.no-repository",
    `Cannot clone "${withoutCredentials(text)}": found ${folder === undefined ? "an archive or a file" : "a folder of no repository"}, expected a repository of git`,
    { hint: "Its files as they are now come into the store with: floe flake archive" },
  );
}

function withReferenceLock(location: FoundFlake, { cwd, referenceLockFile, replace }: OpenFlakeOptions): FoundFlake {
  const replaced = replace === undefined ? {} : { replaced: [...replace.keys()] };
  if (referenceLockFile === undefined) return { ...location, ...replaced };
  const path = resolve(cwd, referenceLockFile);
  return { ...location, ...replaced, lock: parseLock(readFileSync(path, "utf8"), path) };
}

/** A flake that can be locked and asked. */
export class OpenFlake {
  readonly #options: OpenFlakeOptions;
  readonly #records: Records | undefined;
  readonly #writable: boolean;
  readonly #reference: string | undefined;
  #location: FoundFlake;
  #noticed = false;
  #replaced = false;
  #told = false;
  #text: string | undefined;

  constructor(location: FoundFlake, options: OpenFlakeOptions, writable: boolean, reference?: string) {
    this.#location = location;
    this.#options = options;
    this.#writable = writable;
    this.#reference = reference;
    const isWatched = options.onProfile !== undefined || options.debugger !== undefined;
    const folder = options.records === false || isWatched ? undefined : (options.records ?? defaultRecordsFolder());
    this.#records = folder === undefined ? undefined : new Records(folder);
  }

  /** Folder of `flake.config.ts`. */
  get directory(): string {
    return this.#location.directory;
  }

  /** The tree it belongs to: a checkout, or the folder itself. */
  get sourceDirectory(): string {
    return this.#location.sourceDirectory;
  }

  /** The flake as others refer to it; absent for a folder that was named by its path. */
  get reference(): string | undefined {
    return this.#reference;
  }

  /** The source as it is now, in the store. */
  async addSource(): Promise<StorePath> {
    const { addFolder } = await import("./add-source.ts");
    return (await addFolder(this.#location.sourceDirectory, this.#options.store)).storePath;
  }

  get lock(): LockFile {
    return this.#location.lock;
  }

  /**
   * Answer a question about the outputs. The lock is completed on the way, unless the flake was opened `locked`.
   *
   * @throws {CodedError} `flake.lock-stale`, `flake.attribute-missing`, `flake.nar-hash-mismatch`, `evaluation.*`, `git.*`
   */
  async evaluate(asked: EvaluateFlakeOptions): Promise<EvaluationResult> {
    const question = makeQuestion(asked);
    await this.#replaceOnce();
    const recorded = this.#records?.find(this.#location, question);
    if (recorded !== undefined) {
      takeEarlyStart()?.end(readEvaluationSettings().stays);
      await this.#tellSettings(recorded);
      return this.#tellWarnings(recorded);
    }
    this.#noticeUntracked();
    // A lock that does not fit is told before its sources are fetched in vain.
    if (!(await this.#isAtHand())) await this.#ensureFresh(await this.declaredInputs());
    const built = new Set<string>();
    for (let attempt = 0; ; attempt++) {
      const flake = { ...(await this.#lockedFlake()), built: [...built] };
      const asking = evaluate({ ...this.#run(), flake, question, records: this.#records });
      const result = await asking.catch((error: unknown) => {
        throw this.#atDeclaration(error);
      });
      if (result.kind === "builds-needed") {
        await this.#build(result, built);
        attempt -= 1;
        continue;
      }
      await this.#tellSettings(result);
      if (result.kind === "value") return this.#tellWarnings(result);
      // The lock was just made from these very inputs, so a second time is a fault of ours.
      if (attempt > 0) throw this.#stale(result.declared);
      await this.#ensureFresh(result.declared);
    }
  }

  /**
   * What an answer depends on that came from the record of an earlier evaluation.
   *
   * @returns `undefined` for one that was just made, and where it depends on more than the flake in its folder.
   */
  async watched({ watched }: EvaluationResult): Promise<Watched | undefined> {
    const { reference, cwd, replace, referenceLockFile, outputLockFile, names = {} } = this.#options;
    const isPlain = referenceLockFile === undefined && outputLockFile === undefined && Object.keys(names).length === 0;
    if (!isPlain || (replace?.size ?? 0) > 0 || !isFolder(reference)) return undefined;
    const paths = watched?.();
    if (paths === undefined) return undefined;
    const { watchFlake } = await import("./watch-flake.ts");
    return watchFlake(resolve(cwd, reference), this.#location, paths);
  }

  /** Inputs as `flake.config.ts` declares them. */
  async declaredInputs(): Promise<DeclaredInputs> {
    return (await this.#ask()).declared;
  }

  /** Inputs and description, without looking at the lock. */
  async describe(): Promise<{ readonly declared: DeclaredInputs; readonly description?: string }> {
    const { declared, description } = await this.#ask();
    return { declared, ...(description === undefined ? {} : { description }) };
  }

  /**
   * Make the lock fit the declared inputs, and move those that are to be updated.
   *
   * @throws {CodedError} `flake.unknown-input`, `flake.lock-stale` (opened `locked`), `flake.read-only`, `git.*`
   */
  async relock({ update = "none", write = true }: LockOptions = {}): Promise<LockResult> {
    this.#noticeUntracked();
    return this.#relock(await this.declaredInputs(), update, write);
  }

  /** Sources behind the lock, at hand in the store. */
  async resolveInputs(): Promise<LockedFlake["resolved"]> {
    await this.#replaceOnce();
    await this.#ensureFresh(await this.declaredInputs());
    return (await this.#lockedFlake()).resolved;
  }

  /** Put what the command says in the place of inputs, before the first question. */
  async #replaceOnce(): Promise<void> {
    if (this.#replaced || (this.#options.replace?.size ?? 0) === 0) return;
    this.#replaced = true;
    const declared = await this.declaredInputs();
    const { lock, replaced = [] } = this.#location;
    const stale = findStaleInputs(declared, lock, replaced);
    const isOnlyReplaced = stale.every((reason) => replaced.some((input) => reason === `"${input}" has no entry`));
    if (this.#options.locked === true && !isOnlyReplaced) throw this.#stale(declared);
    const { changes } = await this.#relock(declared, "none", this.#options.writeLock ?? false);
    const names = changes.map(({ input }) => input.join("/")).join(", ");
    if (names !== "") this.#options.onNotice?.(`Replaced for this command: ${names}`);
  }

  async #ask(): Promise<{ declared: DeclaredInputs; description?: string }> {
    const flake: LockedFlake = {
      ...this.#location,
      resolved: { inputs: {}, nodes: new Map() },
      hostPath: (path) => path,
    };
    const question = { want: "inputs", candidates: [], attribute: "" } as const;
    const run = { ...this.#run(), onProfile: undefined, debugger: undefined };
    const result = await evaluate({ ...run, flake, question }).catch((error: unknown) => {
      throw this.#atDeclaration(error);
    });
    if (result.kind !== "lock-needed") throw new Error("The evaluation answered another question");
    await this.#tellSettings(result);
    return result;
  }

  async #relock(declared: DeclaredInputs, update: LockOptions["update"], write: boolean): Promise<LockResult> {
    const { lock: before, directory } = this.#location;
    const { makeInputFetcher } = await import("./input-fetcher.ts");
    const result = await lockInputs({
      declared,
      lock: before,
      update:
        update === undefined || typeof update === "string" ? (update ?? "none") : update.map((name) => name.split("/")),
      replace: this.#replacements(),
      fetcher: makeInputFetcher(before, directory, contextOf(this.#options), this.#run()),
      locate: (input) => this.#locate(input),
    });
    for (const warning of result.warnings) this.#options.onNotice?.(warning);
    this.#location = { ...this.#location, lock: result.lock };
    const text = formatLock(result.lock);
    const { outputLockFile, cwd } = this.#options;
    const isElsewhere = outputLockFile !== undefined;
    if (!write || !(this.#writable || isElsewhere) || (text === formatLock(before) && !isElsewhere))
      return { lock: result.lock, changes: result.changes };
    const written = isElsewhere ? resolve(cwd, outputLockFile) : `${directory}/${LOCK_FILE_NAME}`;
    writeFileAtomic(written, text, { sync: true });
    return { lock: result.lock, changes: result.changes, written };
  }

  async #ensureFresh(declared: DeclaredInputs): Promise<void> {
    const { lock, replaced } = this.#location;
    if (findStaleInputs(declared, lock, replaced).length === 0) return;
    if (this.#options.locked === true) throw this.#stale(declared);
    const write = this.#options.writeLock ?? (replaced ?? []).length === 0;
    const { written, changes } = await this.#relock(declared, "none", write);
    const names = changes.map(({ kind, input }) => `${kind} ${input.join("/")}`).join(", ");
    this.#options.onNotice?.(written === undefined ? `Locked without writing: ${names}` : `Wrote ${written}: ${names}`);
  }

  #stale(declared: DeclaredInputs): CodedError {
    const { lock, replaced, directory } = this.#location;
    const reasons = findStaleInputs(declared, lock, replaced);
    const path = `${directory}/${LOCK_FILE_NAME}`;
    const first = /^"([^"]+)"/.exec(reasons[0] ?? "")?.[1]?.split("/");
    return new CodedError("flake.lock-stale", `Cannot use the lock "${path}": it does not fit ${FLAKE_FILE_NAME}`, {
      at: this.#locate(first ?? []),
      details: reasons,
      hint: "Run: floe flake lock",
    });
  }

  /** References of the command, which count from where it was given, and may be names. */
  #replacements(): ReadonlyMap<string, string> {
    const { replace = new Map<string, string>(), cwd } = this.#options;
    return new Map(
      [...replace].map(([input, text]) => {
        const reference = referenceOf(text, this.#options) ?? parseReference(`path:${text}`);
        const found = reference.kind === "path" ? { ...reference, path: resolve(cwd, reference.path) } : reference;
        return [input, formatReference(found)];
      }),
    );
  }

  /** What is wrong with a declaration is told where that is, and not at the beginning of the file. */
  #atDeclaration(error: unknown): unknown {
    if (!(error instanceof CodedError) || error.code !== "flake.malformed") return error;
    const { code, message, hint, details, exitCode, cause, at } = error;
    if (at?.file !== `${this.#location.directory}/${FLAKE_FILE_NAME}` || at.line !== 1 || at.column !== 1) return error;
    const path = /"inputs\.([^"]+)"/.exec(message)?.[1]?.split(".");
    const names = path?.filter((_, i) => i % 2 === 0);
    // A field of a declaration, `inputs.b.urll`, stands where the word `inputs` would.
    const field = path !== undefined && path.length % 2 === 0 ? path.at(-1) : undefined;
    const place =
      names === undefined ? this.#locateFlake(/(?:found|:) "(\w+)"/.exec(message)?.[1]) : this.#locate(names, field);
    return new CodedError(code, message, { at: place, hint, details, exitCode, cause });
  }

  /** Where the flake declares an input, or speaks of it; else where it says what it is. */
  #locate(input: readonly string[], field?: string): SourceLocation | undefined {
    const place = locateInput(this.#readText() ?? "", input, field);
    return place === undefined ? this.#locateFlake(undefined) : this.#at(place);
  }

  /** Where a flake says what it is, or one of its fields. */
  #locateFlake(field: string | undefined): SourceLocation | undefined {
    const text = this.#readText();
    const found = /(?<=\bexport\s+default\s+)\S/.exec(text ?? "");
    if (text === undefined || found === null) return text === undefined ? undefined : this.#at(undefined);
    const place = placeAt(text, found.index);
    return this.#at((field === undefined ? undefined : locateDefinition(text, place, [field])) ?? place);
  }

  #at(place: { readonly line: number; readonly column: number } = { line: 1, column: 1 }): SourceLocation {
    return { file: `${this.#location.directory}/${FLAKE_FILE_NAME}`, ...place };
  }

  #readText(): string | undefined {
    try {
      this.#text ??= readFileSync(`${this.#location.directory}/${FLAKE_FILE_NAME}`, "utf8");
      return this.#text;
    } catch {
      return undefined;
    }
  }

  async #isAtHand(): Promise<boolean> {
    const { lock } = this.#location;
    if (Object.keys(lock.nodes).length <= 1) return true;
    const { isAtHand } = await import("./resolve-lock.ts");
    return isAtHand(lock, (path) => this.#options.store.isValid(path));
  }

  async #lockedFlake(): Promise<LockedFlake> {
    const { lock, directory } = this.#location;
    const hostPath = (path: string): string => this.#options.store.realPath(path);
    if (Object.keys(lock.nodes).length <= 1)
      return { ...this.#location, resolved: { inputs: {}, nodes: new Map() }, hostPath };
    const { resolveAndFetch } = await import("./resolve-lock.ts");
    return {
      ...this.#location,
      resolved: await resolveAndFetch(lock, directory, contextOf(this.#options), (input) => this.#locate(input)),
      hostPath,
    };
  }

  #run(): RunChildOptions {
    const { signal, onNotice, timeoutSeconds, memoryMiB, onProfile, debugger: decides } = this.#options;
    return {
      onProfile,
      debugger: decides,
      ...(signal === undefined ? {} : { signal }),
      ...(onNotice === undefined ? {} : { onLine: onNotice }),
      ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
      ...(memoryMiB === undefined ? {} : { memoryMiB }),
    };
  }

  /** Build what an evaluation wants to read, all of it at once. */
  async #build(needed: BuildsNeeded, built: Set<string>): Promise<void> {
    const { build } = this.#options;
    const [first] = needed.needs;
    if (build === undefined || first === undefined) {
      throw new CodedError(
        "evaluation.build-refused",
        `Cannot read "${first?.path}" while evaluating: it is not built, and nothing may be built for that`,
        { at: first?.at, hint: "Allow it: --allow-import-from-derivation" },
      );
    }
    // Evaluations repeat exactly, so each round has something new; else what was built would not be where it says.
    if (needed.needs.every(({ path }) => built.has(path)))
      throw new Error("The evaluation does not see what was built");
    await build(needed);
    for (const { path } of needed.needs) built.add(path);
  }

  async #tellSettings({ settings }: { readonly settings?: FlakeSettings }): Promise<void> {
    if (this.#told || settings === undefined) return;
    this.#told = true;
    await this.#options.onSettings?.(settings);
  }

  /** What a system warns of is told each time, also when it was evaluated earlier. */
  #tellWarnings(result: EvaluationResult): EvaluationResult {
    const { warnings } = (result.value ?? {}) as { warnings?: unknown };
    if (Array.isArray(warnings))
      for (const warning of warnings) this.#options.onNotice?.(`warning: ${result.onKeys(String(warning))}`);
    return result;
  }

  #noticeUntracked(): void {
    const notice = this.#noticed ? undefined : untrackedNotice(this.#location.untracked);
    this.#noticed = true;
    if (notice !== undefined) this.#options.onNotice?.(notice);
  }
}

/** The platform of this machine, as flakes call it. */
export function hostPlatform(): string {
  return `${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux`;
}

function makeQuestion({
  attribute,
  kinds,
  candidates,
  want = "value",
  platform = hostPlatform(),
  expression,
}: EvaluateFlakeOptions): Question {
  return {
    want,
    ...(expression === undefined ? {} : { expression }),
    attribute,
    candidates:
      want === "outline"
        ? []
        : (candidates ?? attributeCandidates(attribute, { platform, ...(kinds === undefined ? {} : { kinds }) })),
  };
}

/** Whether a user named a folder: it begins with `.`, `/` or `~`, as shells and everybody else have it. */
function isFolder(text: string): boolean {
  return /^(\.{1,2}$|\.{0,2}\/|~)/.test(text);
}

/** What a user named; `undefined` for a folder. */
function referenceOf(text: string, { registries, names = {} }: OpenFlakeOptions): FlakeReference | undefined {
  if (isFolder(text)) return undefined;
  const named = tryParseNamed(text);
  if (named === undefined) return parseReference(text);
  const { user, system } = defaultRegistryPlaces();
  return resolveNamed(named, [names, ...(registries ?? [readRegistry(user), readRegistry(system)])]);
}

function contextOf(options: OpenFlakeOptions): FetchContext {
  const {
    store,
    signal,
    onNotice,
    offline,
    substituters,
    access = openAccess(ownSettingsPlaces(), options.onNotice),
    memory = defaultMemoryFolder(),
  } = options;
  const remembered = memory === false ? {} : { memory: new SourceMemory(memory) };
  return { store, signal, onNotice, offline, substituters, access, ...remembered };
}

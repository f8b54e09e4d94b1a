import { CodedError, type SourceLocation, sortedText } from "../base/index.ts";
import { checkUpdated } from "./check-updated.ts";
import type { InputDeclaration } from "./define-flake.ts";
import { findChanges, type LockChange } from "./lock-changes.ts";
import {
  type DeclaredInputs,
  isLockNode,
  type LockedSource,
  type LockFile,
  type LockInputs,
  type LockNode,
  type LockOverrides,
  type LockRoot,
  ROOT_NODE,
  rootOf,
} from "./lock-file.ts";
import { asKey, fits, flattenOverrides, followsPath, hintUnknown } from "./overrides.ts";
import { type FlakeReference, parseReference } from "./reference.ts";

/** A source that was fetched in order to lock it. */
export interface FetchedInput {
  readonly locked: LockedSource;
  /** Inputs its `flake.config.ts` declares; absent when it has none (it is a plain source). */
  readonly declared?: DeclaredInputs;
  /** Inputs of its root that its own lock file pins. */
  readonly ownLock: readonly string[];
}

/** Gets sources; the doing side of {@link lockInputs}. */
export interface InputFetcher {
  /**
   * @param reference What was declared.
   * @param parent The locked source it was declared in, when that is an input; relative paths begin there.
   * @param isFlake `false` when it was declared to have no outputs.
   */
  fetch(reference: FlakeReference, parent: LockedSource | undefined, isFlake: boolean): Promise<FetchedInput>;
  /**
   * Names of the inputs that a locked flake has, as far as they are known without fetching it; all of them when one of those
   * asked about is not among them. Absent where nothing is known.
   */
  inputNames?(locked: LockedSource, asked: readonly string[]): Promise<readonly string[] | undefined>;
}

/** Where an input, or what takes its place, is declared in the flake's own `flake.config.ts`; by the path of its names. */
export type LocateInput = (input: readonly string[]) => SourceLocation | undefined;

export interface LockInputsOptions {
  /** Inputs the flake declares. */
  readonly declared: DeclaredInputs;
  /** The lock as it is. */
  readonly lock: LockFile;
  /** Inputs to move although they are locked: none, all, or those at these paths. */
  readonly update: "none" | "all" | readonly (readonly string[])[];
  /** What takes the place of inputs for now, whatever is declared: a reference by the path of an input, `b/c`. Default none. */
  readonly replace?: ReadonlyMap<string, string>;
  readonly fetcher: InputFetcher;
  readonly locate?: LocateInput | undefined;
}

export interface LockInputsResult {
  readonly lock: LockFile;
  readonly changes: readonly LockChange[];
  readonly warnings: readonly string[];
}

/**
 * Make the lock fit the declared inputs.
 *
 * An entry that fits stays as it is; only what is missing, was declared otherwise, or is named by `update` or `replace` is fetched.
 *
 * @throws {CodedError} `flake.input-without-url`, `flake.follows-missing`, `flake.unknown-input` (in `update` and `replace`), `flake-reference.*`, and those of
 *   the fetcher; at the place of the declaration.
 */
export async function lockInputs(options: LockInputsOptions): Promise<LockInputsResult> {
  const { declared, lock: old, update, replace = new Map<string, string>() } = options;
  if (Array.isArray(update)) checkUpdated("update", update, declared, old);
  checkUpdated(
    "replace",
    [...replace.keys()].map((key) => [key.split("/")[0] as string]),
    declared,
    old,
  );
  const run = new LockRun(options);
  const inputs = await run.lockLevel(declared, rootOf(old).inputs ?? {}, [], {
    parent: undefined,
    path: [],
    chain: [],
    replaced: new Set(),
  });
  checkFollows(inputs, run.nodes, options);
  const root: LockRoot = Object.keys(inputs).length === 0 ? {} : { inputs };
  const lock: LockFile = { version: 1, root: ROOT_NODE, nodes: { ...run.nodes, [ROOT_NODE]: root } };
  return { lock, changes: findChanges(old, lock), warnings: sortedText(run.warnings) };
}

/**
 * Check that what is followed begins at an input of the flake. What lies in inputs of inputs is known only when their locks are read.
 *
 * @throws {CodedError} `flake.follows-missing`
 */
function checkFollows(
  inputs: LockInputs,
  nodes: Readonly<Record<string, LockNode | LockRoot>>,
  { locate }: LockInputsOptions,
): void {
  const check = (target: string | readonly string[], path: readonly string[]): void => {
    if (typeof target !== "string") {
      const [first] = target;
      if (first === undefined || Object.hasOwn(inputs, first)) return;
      throw new CodedError(
        "flake.follows-missing",
        `Cannot lock the input "${path.join("/")}" that follows "${target.join("/")}": there is no input "${first}"`,
        { at: locate?.(path), hint: hintUnknown(first, Object.keys(inputs)) },
      );
    }
    const node = nodes[target];
    if (!isLockNode(node)) return;
    for (const [key, below] of Object.entries({ ...node.inputs, ...node.overrides }))
      check(below, [...path, ...key.split("/")]);
  };
  for (const name of sortedText(Object.keys(inputs))) check(inputs[name] as string | readonly string[], [name]);
}

/** Alike but for the time: that of a plain folder changes with every checkout, and moves nothing by itself. */
function isSameContent(old: LockedSource, found: LockedSource): boolean {
  const { lastModified: _, ...content } = found;
  const { lastModified: __, ...before } = old;
  return JSON.stringify(Object.entries(content).sort()) === JSON.stringify(Object.entries(before).sort());
}

/** The flake whose declaration is being followed: the flake itself, or one that pins nothing of its own. */
interface Declarer {
  readonly parent: LockedSource | undefined;
  /** Names that lead to it from the root; what it follows begins there. */
  readonly path: readonly string[];
  /** Itself and the flakes that led to it, of those that pin nothing of their own. */
  readonly chain: readonly { readonly locked: LockedSource; readonly path: readonly string[] }[];
  /** Inputs below that something takes the place of, by the names that lead to them from the root, with `/` between. */
  readonly replaced: ReadonlySet<string>;
}

/** Inputs of inputs, over and over: what goes deeper is made by somebody who means no good. */
const MAX_DEPTH = 200;

class LockRun {
  readonly nodes: Record<string, LockNode | LockRoot> = {};
  readonly warnings: string[] = [];
  readonly #options: LockInputsOptions;

  constructor(options: LockInputsOptions) {
    this.#options = options;
  }

  /** Lock what a flake declares; all of it at the same time, and the first fault in order counts. */
  async lockLevel(
    declared: DeclaredInputs,
    old: LockInputs,
    path: readonly string[],
    declarer: Declarer,
  ): Promise<LockInputs> {
    const names = sortedText(Object.keys(declared));
    const targets = await inOrder(
      names.map(async (name) => {
        const declaration = declared[name] as InputDeclaration;
        const here = [...path, name];
        if (declaration.follows === undefined || this.#isReplaced(here))
          return this.#lockInput(declaration, old[name], here, declarer);
        const follows = followsPath(declaration.follows);
        return follows.length > 0 ? [...declarer.path, ...follows] : undefined;
      }),
    );
    return withoutGaps(names, targets);
  }

  async #lockInput(
    declaration: InputDeclaration,
    entry: LockInputs[string] | undefined,
    path: readonly string[],
    declarer: Declarer,
  ): Promise<string> {
    const replacement = this.#options.replace?.get(path.join("/"));
    const url = replacement ?? declaration.url;
    if (url === undefined) {
      throw new CodedError(
        "flake.input-without-url",
        `Cannot lock the input "${path.join("/")}": it says neither "url" nor "follows"`,
        {
          at: this.#options.locate?.(path),
          hint: `Write "${path.at(-1)}: 'github:OWNER/REPO'" in the inputs of flake.config.ts.`,
        },
      );
    }
    const found = typeof entry === "string" ? this.#options.lock.nodes[entry] : undefined;
    const old = isLockNode(found) ? found : undefined;
    const keeps = old !== undefined && replacement === undefined && fits(old, declaration) && !this.#isUpdated(path);
    const overridden = this.#overridesBelow(declaration, path);
    let locked: LockedSource;
    let inputs: LockInputs;
    if (keeps) {
      locked = old.locked;
      await this.#checkKept(old, overridden, path);
      inputs = await this.#keepInputs(old, path, overridden);
    } else {
      const isFlake = declaration.flake !== false;
      const fetched = await this.#fetch(url, path, declarer, isFlake, replacement !== undefined);
      locked = old !== undefined && isSameContent(old.locked, fetched.locked) ? old.locked : fetched.locked;
      const below = [...overridden.keys()].map((key) => `${path.join("/")}/${key}`);
      const replaced = new Set([...declarer.replaced, ...below]);
      const unpinned = this.#unpinned(fetched, overridden, { path, replaced });
      this.#checkEnds(unpinned, locked, path, declarer);
      const chain = [...declarer.chain, { locked, path }];
      inputs = await this.lockLevel(unpinned, old?.inputs ?? {}, path, { parent: locked, path, chain, replaced });
    }
    const overrides = await this.#lockOverrides(overridden, old?.overrides ?? {}, path, declarer);
    const name = nodeName(path);
    this.nodes[name] = {
      ...(Object.keys(inputs).length === 0 ? {} : { inputs }),
      ...(Object.keys(overrides).length === 0 ? {} : { overrides }),
      ...(declaration.flake === false ? { flake: false as const } : {}),
      // What a replacement stands in for stays on record, so that the entry goes on to fit the declaration.
      original: declaration.url ?? url,
      locked,
    };
    return name;
  }

  async #fetch(
    url: string,
    path: readonly string[],
    { parent, path: declaredIn }: Declarer,
    isFlake: boolean,
    isReplacement: boolean,
  ): Promise<FetchedInput> {
    try {
      // A replacement is given by who runs the command, and not by the flake that declares the input.
      return await this.#options.fetcher.fetch(parseReference(url), isReplacement ? undefined : parent, isFlake);
    } catch (error) {
      if (!(error instanceof CodedError) || error.at !== undefined) throw error;
      if (isReplacement) throw withPlace(error, undefined, `given by --override-input ${path.join("/")}`);
      const needed = declaredIn.length === 0 ? undefined : `needed by the input "${declaredIn.join("/")}"`;
      throw withPlace(error, this.#options.locate?.(path), needed);
    }
  }

  /** What is declared in place of inputs below, at any depth; what the command says in their place goes before. */
  #overridesBelow(declaration: InputDeclaration, path: readonly string[]): Map<string, InputDeclaration> {
    const overridden = flattenOverrides(declaration);
    const prefix = `${path.join("/")}/`;
    for (const [key, url] of this.#options.replace ?? []) {
      const below = key.startsWith(prefix) ? key.slice(prefix.length) : undefined;
      if (below === undefined || overridden.has(below)) continue;
      // One that lies below another replacement is that one's to decide.
      if ([...overridden].some(([other, { follows }]) => follows === undefined && below.startsWith(`${other}/`)))
        continue;
      overridden.set(below, { url });
    }
    return overridden;
  }

  async #lockOverrides(
    overridden: ReadonlyMap<string, InputDeclaration>,
    old: LockOverrides,
    path: readonly string[],
    declarer: Declarer,
  ): Promise<LockOverrides> {
    const keys = sortedText([...overridden.keys()]);
    const targets = await inOrder(
      keys.map(async (key) => {
        const declaration = overridden.get(key) as InputDeclaration;
        const here = [...path, ...key.split("/")];
        if (declaration.follows === undefined || this.#isReplaced(here))
          return this.#lockInput(declaration, old[key], here, declarer);
        const follows = followsPath(declaration.follows);
        return follows.length === 0 ? [] : [...declarer.path, ...follows];
      }),
    );
    return withoutGaps(keys, targets);
  }

  /** What a dependency declares and does not pin itself, so that this lock has to. */
  #unpinned(
    fetched: FetchedInput,
    overridden: ReadonlyMap<string, InputDeclaration>,
    { path, replaced }: Pick<Declarer, "path" | "replaced">,
  ): DeclaredInputs {
    const declared = fetched.declared ?? {};
    this.#warnUnknown(firstNames(overridden), Object.keys(declared), path);
    // Its own `follows` count from its own root and are resolved there.
    return Object.fromEntries(
      Object.entries(declared).filter(
        ([name, { follows }]) =>
          follows === undefined && !fetched.ownLock.includes(name) && !replaced.has([...path, name].join("/")),
      ),
    );
  }

  /** What takes the place of inputs of an entry that stays is a new declaration, and as easily misspelt as one of a new entry. */
  async #checkKept(
    { inputs = {}, locked, flake }: LockNode,
    overridden: ReadonlyMap<string, InputDeclaration>,
    path: readonly string[],
  ): Promise<void> {
    const asked = firstNames(overridden).filter((name) => !Object.hasOwn(inputs, name));
    if (asked.length === 0) return;
    const names = flake === false ? [] : await this.#options.fetcher.inputNames?.(locked, asked);
    if (names !== undefined) this.#warnUnknown(asked, names, path);
  }

  #warnUnknown(asked: readonly string[], known: readonly string[], path: readonly string[]): void {
    for (const name of asked) {
      if (known.includes(name)) continue;
      const hint = hintUnknown(name, known);
      this.warnings.push(`The input "${path.join("/")}" has no input "${name}" to replace. ${hint}`);
    }
  }

  /**
   * Flakes that need each other and pin nothing would be asked for without end.
   *
   * @throws {CodedError} `flake.circular-inputs`, `flake.inputs-too-deep`
   */
  #checkEnds(unpinned: DeclaredInputs, locked: LockedSource, path: readonly string[], { chain }: Declarer): void {
    if (Object.keys(unpinned).length === 0) return;
    const above = chain.find((each) => isSameContent(each.locked, locked));
    const at = this.#options.locate?.(path);
    const name = path.join("/");
    if (above !== undefined) {
      const first = above.path.join("/");
      throw new CodedError(
        "flake.circular-inputs",
        `Cannot lock the input "${name}": it is "${first}" again, which needs it`,
        {
          at,
          hint: `Let it be that input, in flake.config.ts: inputs: { ${override(path, first)} }`,
        },
      );
    }
    if (path.length > MAX_DEPTH)
      throw new CodedError(
        "flake.inputs-too-deep",
        `Cannot lock the input "${name.slice(0, 60)}…": found more than ${MAX_DEPTH} inputs inside each other`,
        {
          at,
          hint: `Leave out what "${path[0]}" needs: inputs: { ${asKey(path[0] ?? "")}: { url: "…", flake: false } }`,
        },
      );
  }

  /** Inputs of an entry that stays stay as well, but for those that are named to be moved. */
  async #keepInputs(
    { inputs = {}, locked }: LockNode,
    path: readonly string[],
    overridden: ReadonlyMap<string, InputDeclaration>,
  ): Promise<LockInputs> {
    const names = Object.keys(inputs).filter((name) => !overridden.has(name));
    const targets = await inOrder(
      names.map(async (name) => {
        const target = inputs[name] as string | readonly string[];
        const node = typeof target === "string" ? this.#options.lock.nodes[target] : undefined;
        const here = [...path, name];
        if (isLockNode(node) && this.#isUpdatedBelow(here)) {
          const declaration = { url: node.original, ...(node.flake === false ? { flake: false } : {}) };
          return this.#lockInput(declaration, target, here, {
            parent: locked,
            path,
            chain: [{ locked, path }],
            replaced: new Set(),
          });
        }
        this.#keep(target);
        return target;
      }),
    );
    return withoutGaps(names, targets);
  }

  /** Take over a node that stays, and everything below it. */
  #keep(target: string | readonly string[]): void {
    if (typeof target !== "string" || Object.hasOwn(this.nodes, target)) return;
    const node = this.#options.lock.nodes[target];
    if (!isLockNode(node)) return;
    this.nodes[target] = node;
    for (const below of Object.values({ ...node.inputs, ...node.overrides })) this.#keep(below);
  }

  #isReplaced(path: readonly string[]): boolean {
    return this.#options.replace?.has(path.join("/")) === true;
  }

  #isUpdated(path: readonly string[]): boolean {
    const { update } = this.#options;
    if (update === "none") return false;
    if (update === "all") return true;
    const key = path.join("/");
    return update.some((wanted) => wanted.join("/") === key);
  }

  #isUpdatedBelow(path: readonly string[]): boolean {
    const { update } = this.#options;
    const key = path.join("/");
    return Array.isArray(update) && update.some((wanted) => `${wanted.join("/")}/`.startsWith(`${key}/`));
  }
}

/** `b`, and `b/c` for the input c of b; the root's own name is taken. */
function nodeName(path: readonly string[]): string {
  const name = path.join("/");
  return name === ROOT_NODE ? `${name}'` : name;
}

/** What is written to let an input of an input follow another one. */
function override([name = "", ...below]: readonly string[], target: string): string {
  const inner = below.length === 1 ? `${asKey(below[0] ?? "")}: { follows: "${target}" }` : override(below, target);
  return `${asKey(name)}: { inputs: { ${inner} } }`;
}

/** Inputs of an input that something below, or they themselves, are replaced in. */
function firstNames(overridden: ReadonlyMap<string, InputDeclaration>): string[] {
  return [...new Set([...overridden.keys()].map((key) => key.split("/")[0] as string))];
}

/** Wait for all, so that nothing goes on behind an error; the first fault in order is thrown. */
async function inOrder<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(promises);
  return settled.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}

function withoutGaps<T>(names: readonly string[], values: readonly (T | undefined)[]): Record<string, T> {
  return Object.fromEntries(names.flatMap((name, i) => (values[i] === undefined ? [] : [[name, values[i] as T]])));
}

function withPlace(error: CodedError, at: SourceLocation | undefined, detail: string | undefined): CodedError {
  const { code, message, hint, details = [], exitCode, cause } = error;
  const told = detail === undefined ? details : [...details, detail];
  return new CodedError(code, message, { at, hint, details: told.length === 0 ? undefined : told, exitCode, cause });
}

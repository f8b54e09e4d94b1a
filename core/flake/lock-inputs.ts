import { CodedError, nearNames, sortedText } from "../base/index.ts";
import type { InputDeclaration } from "./define-flake.ts";
import {
  type DeclaredInputs,
  isLockNode,
  type LockedSource,
  type LockFile,
  type LockInputs,
  type LockNode,
  type LockRoot,
  ROOT_NODE,
} from "./lock-file.ts";
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
}

/** One entry of the lock that came, went or moved. */
export interface LockChange {
  readonly kind: "added" | "removed" | "updated";
  /** Path of input names. */
  readonly input: readonly string[];
  readonly before?: LockedSource;
  readonly after?: LockedSource;
  /** For an input that is another one. */
  readonly follows?: readonly string[];
}

export interface LockInputsOptions {
  /** Inputs the flake declares. */
  readonly declared: DeclaredInputs;
  /** The lock as it is. */
  readonly lock: LockFile;
  /** Inputs to move although they are locked: none, all, or those at these paths. */
  readonly update: "none" | "all" | readonly (readonly string[])[];
  readonly fetcher: InputFetcher;
}

export interface LockInputsResult {
  readonly lock: LockFile;
  readonly changes: readonly LockChange[];
  readonly warnings: readonly string[];
}

/**
 * Make the lock fit the declared inputs.
 *
 * An entry that fits stays as it is; only what is missing, was declared otherwise, or is named by `update` is fetched.
 *
 * @throws {CodedError} `flake.input-without-url`, `flake.unknown-input` (in `update`), and those of the fetcher.
 */
export async function lockInputs(options: LockInputsOptions): Promise<LockInputsResult> {
  const run = new LockRun(options);
  if (Array.isArray(options.update)) checkUpdated(options.update, options);
  const inputs = await run.lockLevel(options.declared, rootOf(options.lock).inputs ?? {}, [], undefined);
  const root: LockRoot = Object.keys(inputs).length === 0 ? {} : { inputs };
  const lock: LockFile = { version: 1, root: ROOT_NODE, nodes: { ...run.nodes, [ROOT_NODE]: root } };
  return { lock, changes: findChanges(options.lock, lock), warnings: run.warnings };
}

/** Why a lock does not fit the declared inputs; empty when it does. */
export function findStaleInputs(declared: DeclaredInputs, lock: LockFile): string[] {
  return staleLevel(declared, rootOf(lock).inputs ?? {}, lock, "");
}

export function rootOf(lock: LockFile): LockRoot {
  return lock.nodes[lock.root] ?? {};
}

function staleLevel(declared: DeclaredInputs, inputs: LockInputs, lock: LockFile, prefix: string): string[] {
  const reasons: string[] = [];
  for (const name of sortedText(Object.keys(declared))) {
    const shown = `"${prefix}${name}"`;
    const declaration = declared[name] as InputDeclaration;
    const entry = inputs[name];
    if (declaration.follows !== undefined) {
      const wanted = followsPath(declaration.follows);
      if (wanted.length === 0 ? entry !== undefined : !sameFollows(entry, wanted))
        reasons.push(`${shown} follows something else now`);
      continue;
    }
    const node = typeof entry === "string" ? lock.nodes[entry] : undefined;
    if (!isLockNode(node)) reasons.push(`${shown} has no entry`);
    else if (!fits(node, declaration))
      reasons.push(`${shown} is declared as "${declaration.url}", locked as "${node.original}"`);
    else
      reasons.push(
        ...staleLevel((declaration.inputs as DeclaredInputs) ?? {}, node.inputs ?? {}, lock, `${prefix}${name}/`),
      );
  }
  // Below an input the lock may also hold what the input itself declares, so only the root can have too much.
  if (prefix === "")
    for (const name of Object.keys(inputs))
      if (!Object.hasOwn(declared, name)) reasons.push(`"${name}" is no longer declared`);
  return reasons;
}

function fits(node: LockNode, declaration: InputDeclaration): boolean {
  return node.original === declaration.url && (node.flake === false) === (declaration.flake === false);
}

/** Alike but for the time: that of a plain folder changes with every checkout, and moves nothing by itself. */
function isSameContent(old: LockedSource, found: LockedSource): boolean {
  const { lastModified: _, ...content } = found;
  const { lastModified: __, ...before } = old;
  return JSON.stringify(Object.entries(content).sort()) === JSON.stringify(Object.entries(before).sort());
}

function followsPath(follows: string): string[] {
  return follows.split("/").filter((part) => part !== "");
}

function sameFollows(entry: string | readonly string[] | undefined, wanted: readonly string[]): boolean {
  return Array.isArray(entry) && entry.length === wanted.length && wanted.every((part, i) => entry[i] === part);
}

class LockRun {
  readonly nodes: Record<string, LockNode | LockRoot> = {};
  readonly warnings: string[] = [];
  readonly #options: LockInputsOptions;

  constructor(options: LockInputsOptions) {
    this.#options = options;
  }

  async lockLevel(
    declared: DeclaredInputs,
    old: LockInputs,
    path: readonly string[],
    parent: LockedSource | undefined,
  ): Promise<LockInputs> {
    const inputs: Record<string, string | readonly string[]> = {};
    for (const name of sortedText(Object.keys(declared))) {
      const declaration = declared[name] as InputDeclaration;
      const here = [...path, name];
      if (declaration.follows !== undefined) {
        const follows = followsPath(declaration.follows);
        if (follows.length > 0) inputs[name] = follows;
      } else {
        inputs[name] = await this.#lockInput(declaration, old[name], here, parent);
      }
    }
    return inputs;
  }

  async #lockInput(
    declaration: InputDeclaration,
    entry: LockInputs[string] | undefined,
    path: readonly string[],
    parent: LockedSource | undefined,
  ): Promise<string> {
    if (declaration.url === undefined) {
      throw new CodedError(
        "flake.input-without-url",
        `Cannot lock the input "${path.join("/")}": it says neither "url" nor "follows"`,
        {
          hint: `Write "${path.at(-1)}: 'github:OWNER/REPO'" in the inputs of flake.config.ts.`,
        },
      );
    }
    const old = typeof entry === "string" ? this.#options.lock.nodes[entry] : undefined;
    const keeps = isLockNode(old) && fits(old, declaration) && !this.#isUpdated(path);
    const overrides = (declaration.inputs ?? {}) as DeclaredInputs;
    const oldInputs = isLockNode(old) ? (old.inputs ?? {}) : {};
    let locked: LockedSource;
    let inputs: LockInputs;
    if (keeps) {
      locked = old.locked;
      const own = Object.fromEntries(Object.entries(oldInputs).filter(([name]) => !Object.hasOwn(overrides, name)));
      for (const target of Object.values(own)) this.#keep(target);
      inputs = { ...own, ...(await this.lockLevel(overrides, oldInputs, path, locked)) };
    } else {
      const isFlake = declaration.flake !== false;
      const fetched = await this.#options.fetcher.fetch(parseReference(declaration.url), parent, isFlake);
      locked = isLockNode(old) && isSameContent(old.locked, fetched.locked) ? old.locked : fetched.locked;
      inputs = await this.lockLevel(
        { ...this.#unpinned(fetched, overrides, path), ...overrides },
        oldInputs,
        path,
        locked,
      );
    }
    const name = this.#nodeName(path);
    this.nodes[name] = {
      ...(Object.keys(inputs).length === 0 ? {} : { inputs }),
      ...(declaration.flake === false ? { flake: false as const } : {}),
      original: declaration.url,
      locked,
    };
    return name;
  }

  /** What a dependency declares and does not pin itself, so that this lock has to. */
  #unpinned(fetched: FetchedInput, overrides: DeclaredInputs, path: readonly string[]): DeclaredInputs {
    const declared = fetched.declared ?? {};
    for (const name of Object.keys(overrides)) {
      if (Object.hasOwn(declared, name)) continue;
      const near = nearNames(name, Object.keys(declared))[0];
      this.warnings.push(
        `The input "${path.join("/")}" has no input "${name}" to replace.${near === undefined ? "" : ` Did you mean "${near}"?`}`,
      );
    }
    // Its own \`follows\` count from its own root and are resolved there.
    return Object.fromEntries(
      Object.entries(declared).filter(
        ([name, declaration]) => declaration.follows === undefined && !fetched.ownLock.includes(name),
      ),
    );
  }

  /** Take over a node that stays, and everything below it. */
  #keep(target: string | readonly string[]): void {
    if (typeof target !== "string" || Object.hasOwn(this.nodes, target)) return;
    const node = this.#options.lock.nodes[target];
    if (node === undefined) return;
    this.nodes[target] = node;
    for (const below of Object.values(node.inputs ?? {})) this.#keep(below);
  }

  #isUpdated(path: readonly string[]): boolean {
    const { update } = this.#options;
    if (update === "none") return false;
    if (update === "all") return true;
    const key = path.join("/");
    return update.some((wanted) => wanted.join("/") === key);
  }

  /** `b`, and `b/c` for the input c of b; the root's own name is taken. */
  #nodeName(path: readonly string[]): string {
    const name = path.join("/");
    return name === ROOT_NODE ? `${name}'` : name;
  }
}

function checkUpdated(wanted: readonly (readonly string[])[], { declared, lock }: LockInputsOptions): void {
  for (const path of wanted) {
    let known: readonly string[] = Object.keys(declared);
    let inputs: LockInputs = rootOf(lock).inputs ?? {};
    for (const part of path) {
      if (!known.includes(part)) {
        const near = nearNames(part, known);
        throw new CodedError(
          "flake.unknown-input",
          `Cannot update the input "${path.join("/")}": the flake has no input "${part}"`,
          {
            hint:
              near.length > 0
                ? `Did you mean "${near[0]}"?`
                : known.length > 0
                  ? `Its inputs are ${sortedText(known).join(", ")}.`
                  : "It declares no inputs.",
          },
        );
      }
      const entry = inputs[part];
      inputs = (typeof entry === "string" ? lock.nodes[entry]?.inputs : undefined) ?? {};
      known = Object.keys(inputs);
    }
  }
}

function findChanges(before: LockFile, after: LockFile): LockChange[] {
  const changes: LockChange[] = [];
  const walk = (old: LockInputs, now: LockInputs, path: readonly string[]): void => {
    for (const name of new Set(sortedText([...Object.keys(old), ...Object.keys(now)]))) {
      const input = [...path, name];
      const [left, right] = [old[name], now[name]];
      const oldNode = typeof left === "string" ? before.nodes[left] : undefined;
      const newNode = typeof right === "string" ? after.nodes[right] : undefined;
      if (Array.isArray(right)) {
        if (!sameFollows(left, right))
          changes.push({
            kind: left === undefined ? "added" : "updated",
            input,
            follows: right,
            ...(isLockNode(oldNode) ? { before: oldNode.locked } : {}),
          });
      } else if (isLockNode(newNode)) {
        if (!isLockNode(oldNode)) changes.push({ kind: "added", input, after: newNode.locked });
        else if (JSON.stringify(oldNode.locked) !== JSON.stringify(newNode.locked))
          changes.push({ kind: "updated", input, before: oldNode.locked, after: newNode.locked });
        walk((isLockNode(oldNode) ? oldNode.inputs : undefined) ?? {}, newNode.inputs ?? {}, input);
      } else {
        changes.push({ kind: "removed", input, ...(isLockNode(oldNode) ? { before: oldNode.locked } : {}) });
      }
    }
  };
  walk(rootOf(before).inputs ?? {}, rootOf(after).inputs ?? {}, []);
  return changes;
}

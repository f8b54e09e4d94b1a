import { CodedError, parseHash, sortedText } from "../base/index.ts";
import { makeSourcePath, type StorePath } from "../store/index.ts";
import {
  EMPTY_LOCK,
  isLockNode,
  type LockedSource,
  type LockFile,
  type LockNode,
  type LockRoot,
  rootOf,
} from "./lock-file.ts";
import type { LocateInput } from "./lock-inputs.ts";

/** One source of an evaluation, with its inputs decided. */
export interface ResolvedInput {
  /** Name unique in the graph, for people: `b`, `b/c`. */
  readonly id: string;
  readonly storePath: StorePath;
  readonly locked: LockedSource;
  readonly isFlake: boolean;
  /** The declaration's text, for messages. */
  readonly original: string;
  /** Input that declares it, for a relative path; `undefined` for the root flake. */
  readonly parent?: string;
  readonly inputs: Readonly<Record<string, string>>;
}

/** All sources below a flake. */
export interface ResolvedInputs {
  /** Inputs of the flake itself: name to id. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly nodes: ReadonlyMap<string, ResolvedInput>;
}

/** Reads the lock file inside a source that is at hand; `undefined` when it has none. */
export type ReadLock = (input: Omit<ResolvedInput, "inputs">) => LockFile | undefined;

/** Place of a locked source in the store. */
export function lockedStorePath(locked: LockedSource): StorePath {
  return makeSourcePath("source", parseHash(locked.narHash, "sha256"));
}

/**
 * Follow a lock, and the locks inside its inputs, to the graph of sources.
 *
 * @param locate Tells where the flake itself declares an input, for errors.
 * @throws {CodedError} `flake.follows-missing`, `flake.follows-cycle`, `flake.lock-malformed` (a node that is not there).
 */
export function resolveInputs(lock: LockFile, readLock: ReadLock, locate?: LocateInput): ResolvedInputs {
  const nodes = new Map<string, ResolvedInput>();
  const root = new Scope({ lock, prefix: "", owner: undefined, given: new Map(), readLock, nodes, locate });
  return { inputs: root.resolveRoot(), nodes };
}

/** What a lock further out decides for inputs of this one, by their path from here: finds the source, if there is to be one. */
type Given = ReadonlyMap<string, () => string | undefined>;

interface ScopeOptions {
  readonly lock: LockFile;
  /** Of the ids of its nodes. */
  readonly prefix: string;
  /** Id of the flake whose lock it is; `undefined` for the flake itself. */
  readonly owner: string | undefined;
  readonly given: Given;
  readonly readLock: ReadLock;
  readonly nodes: Map<string, ResolvedInput>;
  readonly locate: LocateInput | undefined;
}

/** One lock file; names in it count from its own flake. */
class Scope {
  readonly #options: ScopeOptions;
  readonly #rootInputs: NonNullable<LockRoot["inputs"]>;
  /** Paths whose end is being looked for right now. */
  readonly #following = new Set<string>();

  constructor(options: ScopeOptions) {
    this.#options = options;
    this.#rootInputs = rootOf(options.lock).inputs ?? {};
  }

  /** Inputs of the flake whose lock it is. */
  resolveRoot(): Record<string, string> {
    const direct = [...this.#options.given.keys()].filter((key) => !key.includes("/"));
    return present(new Set(sortedText([...Object.keys(this.#rootInputs), ...direct])), (name) => this.#rootInput(name));
  }

  #rootInput(name: string): string | undefined {
    const { given, owner } = this.#options;
    const decided = given.get(name);
    if (decided !== undefined) return decided();
    const entry = Object.hasOwn(this.#rootInputs, name) ? this.#rootInputs[name] : undefined;
    return entry === undefined ? undefined : this.#resolve(entry, [name], owner, below(given, name));
  }

  #resolve(
    entry: string | readonly string[],
    shown: readonly string[],
    parent: string | undefined,
    given: Given,
  ): string {
    return typeof entry === "string" ? this.#node(entry, parent, given) : this.#follow(entry, shown);
  }

  /** The source at the end of a path of input names that begins at this lock's own flake. */
  #follow(path: readonly string[], shown: readonly string[]): string {
    const { prefix, locate, nodes } = this.#options;
    const key = path.join("/");
    const failed = (code: string, found: string, hint?: string): CodedError =>
      new CodedError(code, `Cannot resolve the input "${prefix}${shown.join("/")}" that follows "${key}": ${found}`, {
        hint,
        at: prefix === "" ? locate?.(shown) : undefined,
      });
    if (this.#following.has(key))
      throw failed("flake.follows-cycle", `it follows itself (${[...this.#following, key].join(" → ")})`);
    this.#following.add(key);
    let id: string | undefined;
    for (const [i, part] of path.entries()) {
      const inputs: Readonly<Record<string, unknown>> =
        id === undefined ? this.#rootInputs : (nodes.get(id)?.inputs ?? {});
      const next: string | undefined =
        id === undefined ? this.#rootInput(part) : Object.hasOwn(inputs, part) ? (inputs[part] as string) : undefined;
      if (next === undefined) {
        const known = sortedText(Object.keys(inputs)).join(", ");
        throw failed(
          "flake.follows-missing",
          `there is no input "${path.slice(0, i + 1).join("/")}"`,
          `Known there: ${known === "" ? "no inputs" : known}.`,
        );
      }
      id = next;
    }
    this.#following.delete(key);
    if (id === undefined) throw failed("flake.follows-missing", "the path is empty");
    return id;
  }

  #node(name: string, parent: string | undefined, given: Given): string {
    const { prefix, lock, nodes, readLock } = this.#options;
    const id = `${prefix}${name}`;
    if (nodes.has(id)) return id;
    const node: LockNode | LockRoot | undefined = lock.nodes[name];
    if (!isLockNode(node)) {
      throw new CodedError("flake.lock-malformed", `Cannot resolve the input "${id}": its lock has no node "${name}"`, {
        hint: "Run: floe flake lock",
      });
    }
    const base = {
      id,
      storePath: lockedStorePath(node.locked),
      locked: node.locked,
      isFlake: node.flake !== false,
      original: node.original,
      ...(parent === undefined ? {} : { parent }),
    };
    const inputs: Record<string, string> = {};
    nodes.set(id, { ...base, inputs });
    const overrides = this.#overridesOf(node, name, parent);
    const isDecided = new Map([...overrides, ...given]);
    const unpinned: Given = new Map(
      Object.entries(node.inputs ?? {}).map(([each, entry]) => [
        each,
        () => this.#resolve(entry, [...name.split("/"), each], id, below(isDecided, each)),
      ]),
    );
    const own = base.isFlake ? readLock(base) : undefined;
    const inside = new Scope({
      ...this.#options,
      lock: own ?? EMPTY_LOCK,
      prefix: `${id}/`,
      owner: id,
      // What is said further out counts more.
      given: new Map([...unpinned, ...overrides, ...given]),
    });
    Object.assign(inputs, inside.resolveRoot());
    return id;
  }

  #overridesOf(node: LockNode, name: string, parent: string | undefined): Given {
    return new Map(
      Object.entries(node.overrides ?? {}).map(([key, target]) => [
        key,
        () =>
          target.length === 0
            ? undefined
            : this.#resolve(target, [...name.split("/"), ...key.split("/")], parent, new Map()),
      ]),
    );
  }
}

/** What is decided further below one input. */
function below(given: Given, name: string): Given {
  const prefix = `${name}/`;
  return new Map(
    [...given].flatMap(([key, find]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), find]] : [])),
  );
}

function present(names: Iterable<string>, find: (name: string) => string | undefined): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of names) {
    const id = find(name);
    if (id !== undefined) found[name] = id;
  }
  return found;
}

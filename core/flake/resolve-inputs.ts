import { CodedError, parseHash, sortedText } from "../base/index.ts";
import { makeSourcePath, type StorePath } from "../store/index.ts";
import { isLockNode, type LockedSource, type LockFile, type LockNode, type LockRoot } from "./lock-file.ts";
import { rootOf } from "./lock-inputs.ts";

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
 * @throws {CodedError} `flake.follows-missing`, `flake.follows-cycle`, `flake.lock-malformed` (a node that is not there).
 */
export function resolveInputs(lock: LockFile, readLock: ReadLock): ResolvedInputs {
  const nodes = new Map<string, ResolvedInput>();
  const root = new Scope(lock, "", readLock, nodes);
  return { inputs: root.resolveAll(rootOf(lock).inputs ?? {}, "", undefined), nodes };
}

/** One lock file; names in it count from its own flake. */
class Scope {
  readonly #lock: LockFile;
  readonly #prefix: string;
  readonly #readLock: ReadLock;
  readonly #nodes: Map<string, ResolvedInput>;
  /** Paths whose end is being looked for right now. */
  readonly #following = new Set<string>();

  constructor(lock: LockFile, prefix: string, readLock: ReadLock, nodes: Map<string, ResolvedInput>) {
    this.#lock = lock;
    this.#prefix = prefix;
    this.#readLock = readLock;
    this.#nodes = nodes;
  }

  resolveAll(
    inputs: NonNullable<LockRoot["inputs"]>,
    owner: string,
    parent: string | undefined,
  ): Record<string, string> {
    return Object.fromEntries(
      sortedText(Object.keys(inputs)).map((name) => [
        name,
        this.#resolve(inputs[name] as string | readonly string[], `${owner}${name}`, parent),
      ]),
    );
  }

  #resolve(entry: string | readonly string[], shown: string, parent: string | undefined): string {
    return typeof entry === "string" ? this.#node(entry, parent) : this.#follow(entry, shown);
  }

  /** The source at the end of a path of input names that begins at this lock's own flake. */
  #follow(path: readonly string[], shown: string): string {
    const key = path.join("/");
    const failed = (code: string, found: string, hint?: string): CodedError =>
      new CodedError(code, `Cannot resolve the input "${this.#prefix}${shown}" that follows "${key}": ${found}`, {
        hint,
      });
    if (this.#following.has(key))
      throw failed("flake.follows-cycle", `it follows itself (${[...this.#following, key].join(" → ")})`);
    this.#following.add(key);
    let id: string | undefined;
    for (const [i, part] of path.entries()) {
      const inputs: NonNullable<LockRoot["inputs"]> =
        id === undefined ? (rootOf(this.#lock).inputs ?? {}) : (this.#nodes.get(id)?.inputs ?? {});
      const entry = Object.hasOwn(inputs, part) ? inputs[part] : undefined;
      if (entry === undefined) {
        const known = sortedText(Object.keys(inputs)).join(", ");
        throw failed(
          "flake.follows-missing",
          `there is no input "${path.slice(0, i + 1).join("/")}"`,
          `Known there: ${known === "" ? "no inputs" : known}.`,
        );
      }
      id = id === undefined ? this.#resolve(entry, part, undefined) : (entry as string);
    }
    this.#following.delete(key);
    if (id === undefined) throw failed("flake.follows-missing", "the path is empty");
    return id;
  }

  #node(name: string, parent: string | undefined): string {
    const id = `${this.#prefix}${name}`;
    if (this.#nodes.has(id)) return id;
    const node: LockNode | LockRoot | undefined = this.#lock.nodes[name];
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
    this.#nodes.set(id, { ...base, inputs });
    const own = base.isFlake ? this.#readLock(base) : undefined;
    if (own !== undefined) {
      const scope = new Scope(own, `${id}/`, this.#readLock, this.#nodes);
      const decidedHere = node.inputs ?? {};
      const left = Object.fromEntries(
        Object.entries(rootOf(own).inputs ?? {}).filter(([input]) => !Object.hasOwn(decidedHere, input)),
      );
      Object.assign(inputs, scope.resolveAll(left, "", id));
    }
    Object.assign(inputs, this.resolveAll(node.inputs ?? {}, `${name}/`, id));
    return id;
  }
}

import { CodedError, formatSortedJson, isRecord, parseJson, sortedText } from "../../base/index.ts";
import { checkNixReference, isPinnedNixReference, type NixReference } from "./nix-reference.ts";

/** What an input is: an input of its own, or the path of another one from the root (`follows`). */
export type NixLockEdge = NixLockedInput | readonly string[];

/** The flake itself: its inputs by name. */
export interface NixLock {
  readonly inputs: ReadonlyMap<string, NixLockEdge>;
}

/** One pinned input, with its own inputs. */
export interface NixLockedInput extends NixLock {
  readonly locked: NixReference;
  /** As it was declared. */
  readonly original: NixReference;
  /** `false` when it was declared to be a mere source. */
  readonly flake: boolean;
}

export const EMPTY_NIX_LOCK: NixLock = { inputs: new Map() };

const VERSIONS = [5, 6, 7];
/** Flakes are not nested this deep, and no lock has so many entries once those that are shared stand by themselves. */
const LARGEST_DEPTH = 200;
const LARGEST_SIZE = 100_000;

export function isFollows(edge: NixLockEdge): edge is readonly string[] {
  return Array.isArray(edge);
}

/**
 * Read a `flake.lock`. Entries that nothing leads to are not looked at; an entry that several inputs share is one object.
 *
 * @throws {CodedError} `nix-lock.malformed`; `nix-lock.version`; `nix-lock.mutable` for an entry that is not pinned;
 *   `nix-lock.too-large` for locks that are nested too deep; `nix-reference.malformed`
 *
 * Source: Nix manual, "nix flake", "Lock files".
 */
export function parseNixLock(text: string): NixLock {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw malformed((cause as Error).message.replace("Cannot read the JSON: ", ""), cause);
  }
  const { version, root, nodes } = fields(value, "it");
  if (!VERSIONS.includes(version as number)) {
    throw new CodedError(
      "nix-lock.version",
      `Cannot read the lock file: found the version ${JSON.stringify(version) ?? "none"}, expected ${VERSIONS.join(", ")}`,
    );
  }
  return new LockReader(fields(nodes, '"nodes"')).root(textOf(root, '"root"'));
}

class LockReader {
  readonly #nodes: Record<string, unknown>;
  readonly #done = new Map<string, NixLockedInput>();
  readonly #open = new Set<string>();

  constructor(nodes: Record<string, unknown>) {
    this.#nodes = nodes;
  }

  root(key: string): NixLock {
    this.#open.add(key);
    return { inputs: this.#inputs(this.#node(key)) };
  }

  #node(key: string): Record<string, unknown> {
    if (!Object.hasOwn(this.#nodes, key)) throw malformed(`it has no node "${key}"`);
    return fields(this.#nodes[key], `the node "${key}"`);
  }

  #inputs(node: Record<string, unknown>): Map<string, NixLockEdge> {
    const inputs = fields(node["inputs"] ?? {}, '"inputs"');
    return new Map(
      sortedText(Object.keys(inputs)).map((name): [string, NixLockEdge] => {
        const edge = inputs[name];
        if (Array.isArray(edge)) return [name, edge.map((each) => textOf(each, `a name that "${name}" follows`))];
        return [name, this.#input(textOf(edge, `the input "${name}"`))];
      }),
    );
  }

  #input(key: string): NixLockedInput {
    const known = this.#done.get(key);
    if (known !== undefined) return known;
    if (this.#open.has(key)) throw malformed(`the node "${key}" is an input of itself`);
    if (this.#open.size > LARGEST_DEPTH) throw tooLarge(`found inputs of inputs beyond a depth of ${LARGEST_DEPTH}`);
    this.#open.add(key);
    const node = this.#node(key);
    if (node["locked"] === undefined || node["original"] === undefined)
      throw malformed(`the node "${key}" has no "${node["locked"] === undefined ? "locked" : "original"}"`);
    const { flake = true } = node;
    if (typeof flake !== "boolean") throw malformed(`"flake" of the node "${key}" is neither true nor false`);
    // Version 5 kept part of it beside "locked".
    const locked = checkNixReference({
      ...fields(node["locked"], '"locked"'),
      ...fields(node["info"] ?? {}, '"info"'),
    });
    if (!isPinnedNixReference(locked)) {
      throw new CodedError(
        "nix-lock.mutable",
        `Cannot use the lock file: its node "${key}" has neither a "rev" nor a "narHash"`,
      );
    }
    const input = { locked, original: checkNixReference(node["original"]), flake, inputs: this.#inputs(node) };
    this.#open.delete(key);
    this.#done.set(key, input);
    return input;
  }
}

/**
 * A lock as plain data, version 7. Nodes are named after the input that leads to them first, made unique by `_2`, `_3` and so on;
 * inputs that are one object become one node.
 */
export function nixLockData(lock: NixLock): Record<string, unknown> {
  const nodes = new Map<string, unknown>();
  const keys = new Map<NixLock, string>();
  /** The number to try next for a name; counting from 2 each time would be quadratic. */
  const next = new Map<string, number>();
  const add = (name: string, node: NixLock | NixLockedInput, depth: number): string => {
    const known = keys.get(node);
    if (known !== undefined) return known;
    if (depth > LARGEST_DEPTH) throw tooLarge(`found inputs of inputs beyond a depth of ${LARGEST_DEPTH}`);
    let key = name;
    for (let n = next.get(name) ?? 2; nodes.has(key); n++) {
      key = `${name}_${n}`;
      next.set(name, n + 1);
    }
    keys.set(node, key);
    nodes.set(key, undefined);
    const inputs = sortedText(node.inputs.keys()).map((input): [string, unknown] => {
      const edge = node.inputs.get(input) as NixLockEdge;
      return [input, isFollows(edge) ? edge : add(input, edge, depth + 1)];
    });
    nodes.set(key, {
      ...(inputs.length === 0 ? {} : { inputs: Object.fromEntries(inputs) }),
      ...("locked" in node ? { locked: node.locked, original: node.original } : {}),
      ...("locked" in node && !node.flake ? { flake: false } : {}),
    });
    return key;
  };
  const root = add("root", lock, 0);
  return { nodes: Object.fromEntries(nodes), root, version: 7 };
}

/** The text of a `flake.lock`: two spaces, keys in byte order, a final newline. */
export function formatNixLock(lock: NixLock): string {
  return `${formatSortedJson(nixLockData(lock), 2)}\n`;
}

/**
 * Check that what inputs follow is there.
 *
 * @throws {CodedError} `nix-lock.follows` names the input.
 */
export function checkNixLock(lock: NixLock): void {
  const paths = new Set<string>();
  const follows: [path: readonly string[], target: readonly string[]][] = [];
  const visit = (node: NixLock, prefix: readonly string[]): void => {
    for (const [name, edge] of node.inputs) {
      const path = [...prefix, name];
      paths.add(JSON.stringify(path));
      if (paths.size > LARGEST_SIZE) throw tooLarge(`found more than ${LARGEST_SIZE} inputs of inputs`);
      if (isFollows(edge)) follows.push([path, edge]);
      else visit(edge, path);
    }
  };
  visit(lock, []);
  for (const [path, target] of follows) {
    if (target.length === 0 || paths.has(JSON.stringify(target))) continue;
    throw new CodedError(
      "nix-lock.follows",
      `Cannot use the lock file: the input "${path.join("/")}" follows "${target.join("/")}", which is no input`,
    );
  }
}

/** A lock is about to be larger than any lock of a real flake. */
export function tooLarge(found: string): CodedError {
  return new CodedError("nix-lock.too-large", `Cannot use the lock file: ${found}`);
}

export { LARGEST_DEPTH, LARGEST_SIZE };

function fields(value: unknown, what: string): Record<string, unknown> {
  if (!isRecord(value)) throw malformed(`${what} is no object`);
  return value;
}

function textOf(value: unknown, what: string): string {
  if (typeof value !== "string") throw malformed(`${what} is no text`);
  return value;
}

function malformed(found: string, cause?: unknown): CodedError {
  return new CodedError("nix-lock.malformed", `Cannot read the lock file: ${found}`, { cause });
}

import { CodedError, concatBytes, formatHash, fromUtf8, hashBytes, parseHash } from "../../core/base/index.ts";
import {
  EMPTY_NIX_LOCK,
  type FetchedNixFlake,
  formatNixLock,
  lockNixInputs,
  type NixInputHost,
  type NixLock,
  nixLockData,
  type NixReference,
  parseNixLock,
  readNixInputs,
} from "../../core/flake/index.ts";
import { dumpNar, makeSourcePath, type NarNode } from "../../core/store/index.ts";
import { attempt, type Suite } from "./suite.ts";
import { readVectorTree, type VectorTree } from "./tree.ts";

interface Vectors {
  readonly storeDir: string;
  readonly cases: readonly {
    readonly name: string;
    readonly tree: VectorTree;
    readonly lock: string | null;
    readonly storePaths?: Readonly<Record<string, string>>;
  }[];
  readonly read: readonly {
    readonly name: string;
    readonly flake: string;
    readonly lock: string;
    readonly ok: boolean;
    readonly locks?: unknown;
  }[];
}

export async function runFlakeLock(vectors: Vectors, suite: Suite): Promise<void> {
  for (const v of vectors.cases) {
    await suite.case(v.name, (compare) => {
      const place = { tree: readVectorTree(v.tree), directory: [] };
      const trees = makeTrees();
      const flake = { place, ...trees.readFlake(place) };
      const lock = lockNixInputs(flake, trees);
      const text = formatNixLock(lock);
      // An empty lock is not written where there is none.
      const written = text === formatNixLock(flake.lock ?? EMPTY_NIX_LOCK) ? null : text;
      compare("lock", written, v.lock);
      if (v.lock !== null) compare("lock written after read", formatNixLock(parseNixLock(v.lock)), v.lock);
      if (v.storePaths !== undefined) compare("store paths", storePaths(lock, vectors.storeDir), v.storePaths);
    });
  }
  for (const v of vectors.read) {
    await suite.case(`read ${v.name}`, (compare) => {
      const lock = attempt(() => {
        const flake = { place: NOWHERE, inputs: readNixInputs(v.flake), lock: parseNixLock(v.lock) };
        return lockNixInputs(flake, makeTrees());
      });
      compare("accepted", lock !== undefined, v.ok);
      if (lock !== undefined && v.locks !== undefined)
        compare("locks", JSON.parse(JSON.stringify(nixLockData(lock))), v.locks);
    });
  }
}

/** A flake in a tree. */
interface Place {
  readonly tree: NarNode;
  /** Folders from the root of the tree to the flake. */
  readonly directory: readonly string[];
}

const NOWHERE: Place = { tree: { type: "directory", entries: new Map() }, directory: [] };

/** Inputs by relative paths; everything else would need a network. Trees are as in the store: of the first second. */
function makeTrees(): NixInputHost<Place> {
  // As Nix 2.8 does: what was fetched by a reference once is taken for it again, even where it is relative to something else.
  const fetched = new Map<string, ReturnType<typeof fetchTree>>();
  return {
    fetch(reference, parent) {
      const key = JSON.stringify(Object.entries(reference).sort());
      const known = fetched.get(key) ?? fetchTree(reference, parent);
      fetched.set(key, known);
      return known;
    },
    readFlake,
  };
}

function fetchTree(reference: NixReference, parent: Place): { readonly locked: NixReference; readonly place: Place } {
  const { type, path, dir = "" } = reference;
  if (type !== "path" || typeof path !== "string" || path.startsWith("/"))
    throw new CodedError("conformance.fetch", `Cannot fetch ${JSON.stringify(reference)}: expected a relative path`);
  const folders = resolvePath(parent.directory, path);
  const tree = nodeAt(parent.tree, folders);
  const narHash = hashBytes("sha256", concatBytes(dumpNar(tree)));
  // A tree that is a store object as it stands is not copied, and Nix does not look for its time.
  const lastModified = folders.length === 0 ? 0 : 1;
  const locked: NixReference = { ...reference, lastModified, narHash: formatHash(narHash, "sri") };
  return { locked, place: { tree, directory: resolvePath([], String(dir)) } };
}

function readFlake({ tree, directory }: Place): Omit<FetchedNixFlake<Place>, "place"> {
  const file = (name: string): string | undefined => {
    const folder = nodeAt(tree, directory);
    const node = folder.type === "directory" ? folder.entries.get(name) : undefined;
    return node?.type === "regular" ? fromUtf8(node.contents) : undefined;
  };
  const [flake, lock] = [file("flake.nix"), file("flake.lock")];
  if (flake === undefined) throw new CodedError("conformance.fetch", "Cannot read the flake: it has no flake.nix");
  return { inputs: readNixInputs(flake), ...(lock === undefined ? {} : { lock: parseNixLock(lock) }) };
}

function resolvePath(base: readonly string[], path: string): string[] {
  const names = [...base];
  for (const name of path.split("/")) {
    if (name === "" || name === ".") continue;
    if (name !== "..") names.push(name);
    else if (names.pop() === undefined)
      throw new CodedError("conformance.fetch", `Cannot fetch "${path}": it points out of the flake's own tree`);
  }
  return names;
}

function nodeAt(tree: NarNode, path: readonly string[]): NarNode {
  let node: NarNode | undefined = tree;
  for (const name of path) node = node?.type === "directory" ? node.entries.get(name) : undefined;
  if (node === undefined) throw new CodedError("conformance.fetch", `Cannot find "${path.join("/")}" in the tree`);
  return node;
}

/** Places of the locked trees by name of their nodes. */
function storePaths(lock: NixLock, storeDirectory: string): Record<string, string> {
  const { nodes } = nixLockData(lock) as { nodes: Record<string, { locked?: NixReference }> };
  return Object.fromEntries(
    Object.entries(nodes).flatMap(([key, { locked }]) => {
      if (locked === undefined) return [];
      const { narHash, name = "source" } = locked;
      return [[key, makeSourcePath(String(name), parseHash(String(narHash), "sha256"), [], false, storeDirectory)]];
    }),
  );
}

import { CodedError, compareText, concatBytes } from "../base/index.ts";
import { NarParser } from "./nar-parser.ts";
import { NAR_TOKENS, narLength, narPadding, narString } from "./nar-tokens.ts";

/** A file tree in memory. Names and targets are texts that may hold any bytes (see `fromUtf8`). */
export type NarNode =
  | { readonly type: "regular"; readonly executable: boolean; readonly contents: Uint8Array }
  | { readonly type: "symlink"; readonly target: string }
  | { readonly type: "directory"; readonly entries: ReadonlyMap<string, NarNode> };

/** The archive of a tree, in pieces. Entries may come in any order. */
export function* dumpNar(tree: NarNode): Generator<Uint8Array> {
  yield NAR_TOKENS.start;
  yield* dumpNode(tree);
}

function* dumpNode(node: NarNode): Generator<Uint8Array> {
  if (node.type === "symlink") {
    yield NAR_TOKENS.symlink;
    yield narString(node.target);
  } else if (node.type === "regular") {
    yield node.executable ? NAR_TOKENS.executable : NAR_TOKENS.file;
    yield narLength(node.contents.length);
    yield node.contents;
    yield new Uint8Array(narPadding(node.contents.length));
  } else {
    yield NAR_TOKENS.directory;
    for (const [name, child] of [...node.entries].sort(([a], [b]) => compareText(a, b))) {
      yield NAR_TOKENS.entry;
      yield narString(name);
      yield NAR_TOKENS.node;
      yield* dumpNode(child);
      yield NAR_TOKENS.close;
    }
  }
  yield NAR_TOKENS.close;
}

/** The tree of a whole archive. @throws {CodedError} `nar.malformed`, also for bytes after the archive. */
export function parseNar(bytes: Uint8Array): NarNode {
  const builder = new TreeBuilder();
  const parser = new NarParser(builder);
  const used = parser.push(bytes);
  parser.finish();
  if (used !== bytes.length)
    throw new CodedError("nar.malformed", `Cannot read the archive: ${bytes.length - used} bytes follow its end`);
  return builder.root as NarNode;
}

/** A single file as archive. */
export function dumpFileNar(contents: Uint8Array, executable = false): Uint8Array {
  return concatBytes(dumpNar({ type: "regular", executable, contents }));
}

class TreeBuilder {
  root: NarNode | undefined;
  readonly #open: { name: string; entries: Map<string, NarNode> }[] = [];
  #file: { name: string; executable: boolean; parts: Uint8Array[] } | undefined;

  directory(path: string): void {
    this.#open.push({ name: lastName(path), entries: new Map() });
  }

  endDirectory(): void {
    const { name, entries } = this.#open.pop() as { name: string; entries: Map<string, NarNode> };
    this.#place(name, { type: "directory", entries });
  }

  file(path: string, { executable }: { executable: boolean }): void {
    this.#file = { name: lastName(path), executable, parts: [] };
  }

  data(chunk: Uint8Array): void {
    this.#file?.parts.push(chunk.slice());
  }

  endFile(): void {
    const { name, executable, parts } = this.#file as { name: string; executable: boolean; parts: Uint8Array[] };
    this.#place(name, { type: "regular", executable, contents: concatBytes(parts) });
  }

  symlink(path: string, target: string): void {
    this.#place(lastName(path), { type: "symlink", target });
  }

  #place(name: string, node: NarNode): void {
    const parent = this.#open.at(-1);
    if (parent === undefined) this.root = node;
    else parent.entries.set(name, node);
  }
}

function lastName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

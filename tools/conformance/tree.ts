import { concatBytes, fromBase64, fromUtf8, hashBytes, toBase16 } from "../../core/base/index.ts";
import { dumpNar, type NarNode } from "../../core/store/index.ts";

/** A file tree as the vectors write it; entries in any order. */
export type VectorTree =
  | {
      readonly type: "regular";
      readonly executable?: boolean;
      readonly contents?: string;
      readonly repeat?: Repeat;
      readonly concat?: readonly Part[];
    }
  | { readonly type: "symlink"; readonly target?: string; readonly targetBase64?: string }
  | {
      readonly type: "directory";
      readonly entries: readonly { readonly name?: string; readonly nameBase64?: string; readonly node: VectorTree }[];
    };

interface Repeat {
  readonly unit: string;
  readonly size: number;
}

interface Part {
  readonly contents?: string;
  readonly repeat?: Repeat;
}

function bytesOf({ contents, repeat }: Part): Uint8Array {
  if (repeat === undefined) return fromBase64(contents ?? "");
  const unit = fromBase64(repeat.unit);
  return Uint8Array.from({ length: repeat.size }, (_, i) => unit[i % unit.length] as number);
}

const textOf = (text: string | undefined, base64: string | undefined): string =>
  text ?? fromUtf8(fromBase64(base64 ?? ""));

export function readVectorTree(tree: VectorTree): NarNode {
  if (tree.type === "symlink") return { type: "symlink", target: textOf(tree.target, tree.targetBase64) };
  if (tree.type === "directory") {
    return {
      type: "directory",
      entries: new Map(tree.entries.map((e) => [textOf(e.name, e.nameBase64), readVectorTree(e.node)])),
    };
  }
  return {
    type: "regular",
    executable: tree.executable === true,
    contents: concatBytes((tree.concat ?? [tree]).map(bytesOf)),
  };
}

export function narOfTree(tree: NarNode): Uint8Array {
  return concatBytes(dumpNar(tree));
}

/** sha256 of an archive in base 16. */
export function hashOfNar(nar: Uint8Array): string {
  return toBase16(hashBytes("sha256", nar).digest);
}

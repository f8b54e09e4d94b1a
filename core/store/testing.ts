import fc from "fast-check";
import { fromUtf8, hashBytes, toBase32 } from "../base/index.ts";
import { MAX_NAME_LENGTH, STORE_DIRECTORY, type StorePath, storePathFromBaseName } from "./store-path.ts";
import type { NarNode } from "./nar-tree.ts";

/** A text of any bytes, as names and targets may have: valid UTF-8, invalid, and mixtures. */
export const anyText = fc
  .oneof(
    fc.uint8Array({ minLength: 1, maxLength: 8 }),
    fc.string({ unit: "binary", minLength: 1, maxLength: 4 }).map((text) => new TextEncoder().encode(text)),
    fc.constantFrom("a", "A", "foo", "foo-bar", "foo.txt", "foo0", "é", "日本").map((t) => new TextEncoder().encode(t)),
  )
  .map(fromUtf8);

/** A name that may stand in a directory. */
export const anyFileName = anyText.filter((name) => name !== "." && name !== ".." && !/[/\0]/.test(name));

export const anyTree: fc.Arbitrary<NarNode> = fc.letrec<{ tree: NarNode }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3 },
    fc.record({
      type: fc.constant("regular" as const),
      executable: fc.boolean(),
      contents: fc.uint8Array({ maxLength: 40 }),
    }),
    fc.record({ type: fc.constant("symlink" as const), target: anyText.filter((text) => !text.includes("\0")) }),
    fc
      .array(fc.tuple(anyFileName, tie("tree")), { maxLength: 4 })
      .map((entries) => ({ type: "directory" as const, entries: new Map(entries) })),
  ),
})).tree;

/** A name that a store object may be given. */
export const anyStoreName = fc
  .oneof(
    fc.string({ unit: fc.constantFrom(..."09AZaz+-._?="), minLength: 1, maxLength: 12 }),
    fc.constantFrom("hello-2.12", "x", "x".repeat(MAX_NAME_LENGTH), "a.drv"),
  )
  .filter((name) => !/^(\.\.?(-|$)|-$)/.test(name));

export const anySha256 = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((digest) => ({ algorithm: "sha256" as const, digest }));

export const anyStorePath: fc.Arbitrary<StorePath> = fc
  .tuple(fc.nat(999), anyStoreName)
  .map(([seed, name]) =>
    storePathFromBaseName(`${toBase32(hashBytes("sha1", `${seed}`).digest)}-${name}`, STORE_DIRECTORY),
  );

/** A few different store paths, in any order. */
export const anyStorePaths = fc.uniqueArray(anyStorePath, { maxLength: 4 });

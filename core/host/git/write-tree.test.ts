import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, utf8 } from "../../base/index.ts";
import { type ObjectReader, type TreeEntry, writeTree } from "./write-tree.ts";

const folder = mkdtempSync(join(tmpdir(), "floe-write-tree-"));
test.after(() => rmSync(folder, { recursive: true }));

/** Trees by name; every blob holds its own name. */
function reader(trees: Readonly<Record<string, readonly TreeEntry[]>>): ObjectReader {
  return { readTree: async (oid) => trees[oid] ?? [], readBlob: async (oid) => utf8(oid) };
}

test("writeTree() writes files and folders, and tells of submodules", async () => {
  const trees = {
    top: [
      { mode: "040000", path: "sub", oid: "inner" },
      { mode: "160000", path: "module", oid: "commit" },
    ],
    inner: [{ mode: "100644", path: "file", oid: "words" }],
  };
  const gitlinks = await writeTree(reader(trees), "top", join(folder, "good"));
  assert.is(readFileSync(join(folder, "good/sub/file"), "utf8"), "words");
  assert.equal(
    gitlinks.map(({ path }) => path),
    ["module"],
  );
});

test("writeTree() refuses names that lead out of the folder", async () => {
  for (const [index, path] of ["..", ".", "", ".git", "a/../../b", "a\0"].entries()) {
    const trees = { top: [{ mode: "100644", path, oid: "words" }] };
    try {
      await writeTree(reader(trees), "top", join(folder, String(index)));
      assert.unreachable(`expected an error for "${path}"`);
    } catch (error) {
      assert.is((error as CodedError).code, "git.unsafe-tree");
    }
  }
  assert.not.ok(existsSync(join(folder, "b")));
});

test("writeTree() stops at trees that unfold without end, and at too many bytes", async () => {
  const ten = (oid: string): TreeEntry[] =>
    Array.from({ length: 10 }, (_, index) => ({ mode: "40000", path: `${index}`, oid }));
  const trees = Object.fromEntries(Array.from({ length: 12 }, (_, depth) => [`${depth}`, ten(`${depth + 1}`)]));
  const large = { top: [{ mode: "100644", path: "file", oid: "x".repeat(1001) }] };
  for (const [given, top] of [
    [trees, "0"],
    [large, "top"],
  ] as const) {
    try {
      await writeTree(reader(given), top, join(folder, `bomb-${top}`), { entries: 500, bytes: 1000 });
      assert.unreachable("expected an error");
    } catch (error) {
      const { code, hint } = error as CodedError;
      assert.equal([code, hint !== undefined], ["git.too-large", true]);
    }
  }
});

test.run();

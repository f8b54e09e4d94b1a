import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { makeHasher } from "../../base/index.ts";
import { beginRestoreNar, copyTreeCanonical, dumpTree, hashTree, removeTree, restoreNar, TreeWriter } from "./index.ts";

let work = "";
test.before.each(() => {
  work = mkdtempSync(join(tmpdir(), "floe-writer-"));
});
test.after.each(() => removeTree(work));

/** Enough entries, and a file big enough, for the thread to take over. */
function bigTree(name: string): string {
  const root = join(work, name);
  for (let d = 0; d < 8; d++) {
    mkdirSync(join(root, `d${d}`), { recursive: true });
    for (let f = 0; f < 40; f++)
      writeFileSync(join(root, `d${d}/f${f}`), `${d} ${f}`.repeat(f), { mode: f % 2 === 0 ? 0o755 : 0o600 });
  }
  writeFileSync(join(root, "big"), Buffer.alloc(40_000_000, "0123456789abcdef!"));
  writeFileSync(`${root}/d1/caf\u00e9`, "");
  writeFileSync(Buffer.concat([Buffer.from(`${root}/d2/caf`), Buffer.of(0xe9)]), "latin");
  symlinkSync("/nowhere/at/all", join(root, "d3/link"));
  return root;
}

function assertCanonical(path: string): void {
  const stat = lstatSync(path);
  assert.is(stat.mtimeMs, 1000, `mtime of ${path}`);
  if (stat.isFile()) assert.is(stat.mode & 0o7777, /[02468]$/.test(path) ? 0o555 : 0o444, `mode of ${path}`);
  if (!stat.isDirectory()) return;
  assert.is(stat.mode & 0o7777, 0o555, `mode of ${path}`);
  for (const name of readdirSync(path)) if (!name.includes("\uFFFD")) assertCanonical(join(path, name));
}

test("a tree that a thread writes is the one that was read", async () => {
  const root = bigTree("from");
  const expected = await hashTree(root);
  const made = await Promise.all([
    copyTreeCanonical(root, join(work, "copy")),
    restoreNar(dumpTree(root), join(work, "a")),
    restoreNar(dumpTree(root), join(work, "b")),
  ]);
  for (const each of made) assert.equal(each, expected);
  for (const name of ["copy", "a", "b"]) {
    assert.equal(await hashTree(join(work, name)), expected);
    assertCanonical(join(work, name));
  }
});

test("what a thread could not write is an error of its own job", async () => {
  const root = bigTree("from");
  mkdirSync(join(work, "taken"));
  const failed = beginRestoreNar(dumpTree(root), join(work, "taken")).then(({ finish }) => finish());
  const fine = restoreNar(dumpTree(root), join(work, "free"));
  const error = await failed.then(
    () => undefined,
    (fault: NodeJS.ErrnoException) => fault,
  );
  assert.is(error?.code, "EEXIST");
  assert.is(error?.path, join(work, "taken"));
  assert.equal(readdirSync(join(work, "taken")), []);
  assert.equal(await fine, await hashTree(root));
});

test("after abandon() nothing of a tree is written any more", async () => {
  await restoreNar(dumpTree(bigTree("from")), join(work, "first"));
  const writer = new TreeWriter(join(work, "second"));
  writer.directory("");
  writer.file("big", { executable: false, size: 2_000_000 });
  writer.data(Buffer.alloc(1_000_000));
  await writer.abandon();
  removeTree(join(work, "second"));
  writer.file("late", { executable: false, size: 1 });
  writer.data(Buffer.from("x"));
  writer.endFile();
  await writer.finish();
  assert.not(readdirSync(work).includes("second"));
});

test("an archive that breaks off leaves its beginning, and the next one is written", async () => {
  const root = bigTree("from");
  async function* half(): AsyncGenerator<Uint8Array> {
    let left = 20_000_000;
    for await (const piece of dumpTree(root)) {
      yield piece;
      left -= piece.length;
      if (left < 0) return;
    }
  }
  const error = await restoreNar(half(), join(work, "half")).then(
    () => undefined,
    (fault: { code: string }) => fault,
  );
  assert.is(error?.code, "nar.malformed");
  assert.equal(await restoreNar(dumpTree(root), join(work, "whole")), await hashTree(root));
});

test("copyTreeCanonical() hashes contents and forgets execute bits where it is told to", async () => {
  const file = join(work, "program");
  writeFileSync(file, "#!/bin/sh\n", { mode: 0o755 });
  const contents = makeHasher("md5");
  await copyTreeCanonical(file, join(work, "copied"), { executables: false, contentHashers: [contents] });
  assert.is(lstatSync(join(work, "copied")).mode & 0o777, 0o444);
  assert.is(readFileSync(join(work, "copied"), "utf8"), "#!/bin/sh\n");
  // printf '#!/bin/sh\n' | md5sum
  assert.is(Buffer.from(contents.digest().digest).toString("hex"), "3e2b31c72181b87149ff995e7202c0e3");
});

test.run();

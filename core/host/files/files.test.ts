import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, concatBytes, equalHashes, hashBytes } from "../../base/index.ts";
import {
  dumpNar,
  type NarNode,
  NAR_TOKENS,
  narString,
  parseNar,
  ReferenceScanner,
  type StorePath,
} from "../../store/index.ts";
import {
  canonicalise,
  copyTreeCanonical,
  dumpTree,
  filterFromFiles,
  hashTree,
  makeSourceHost,
  readNames,
  removeTree,
  restoreNar,
  scanTree,
  symlinkAtomic,
  syncFilesystem,
  syncFilesystemLater,
  syncTrees,
  syncTreesLater,
  walkNar,
  writeFileAtomic,
} from "./index.ts";

const hasCode = (code: string) => (error: CodedError) => error.code === code;
let work: string;
test.before.each(() => {
  work = mkdtempSync(join(tmpdir(), "floe-files-"));
});
test.after.each(() => removeTree(work));

const FOO = "/nix/store/vxjiwkjkn7x4079qvh1jkl5pn05j2aw0-foo" as StorePath;

/** A tree with everything a tree can have. */
function sampleTree(): string {
  const root = join(work, "sample");
  mkdirSync(join(root, "bin"), { recursive: true });
  mkdirSync(join(root, "empty"));
  writeFileSync(join(root, "bin/tool"), "#!/bin/sh\n", { mode: 0o755 });
  writeFileSync(join(root, "big"), Buffer.alloc(700_001, "0123456789"));
  writeFileSync(join(root, "mention"), `see ${FOO}/bin`);
  writeFileSync(Buffer.concat([Buffer.from(`${root}/caf`), Buffer.of(0xe9)]), "latin");
  symlinkSync("bin/tool", join(root, "link"));
  symlinkSync("/nowhere", join(root, "dangling"));
  return root;
}

function narOf(path: string): Uint8Array {
  return concatBytes(Array.from(walkNar(path), (piece) => Uint8Array.from(piece)));
}

test("walkNar() gives the same archive as the tree in memory", () => {
  const nar = narOf(sampleTree());
  const tree = parseNar(nar) as Extract<NarNode, { type: "directory" }>;
  assert.equal([...tree.entries.keys()], ["big", "bin", "caf\uDCE9", "dangling", "empty", "link", "mention"]);
  assert.ok(equalHashes(hashBytes("sha256", concatBytes(dumpNar(tree))), hashBytes("sha256", nar)));
});

test("scanTree() hashes, finds references and canonicalises in one pass", async () => {
  const root = sampleTree();
  const nar = narOf(root);
  const scanner = new ReferenceScanner([FOO]);
  scanner.update(nar);
  assert.equal(scanner.found(), [FOO]);
  const scanned = await scanTree(root, { candidates: [FOO], canonicalise: true });
  assert.equal(scanned, { narHash: hashBytes("sha256", nar), narSize: nar.length, references: [FOO] });
  assertCanonical(root);
});

/** Modes 0444 or 0555 and mtime 1, everywhere. */
function assertCanonical(path: string): void {
  const stat = lstatSync(path);
  assert.is(stat.mtimeMs, 1000, `mtime of ${path}`);
  if (!stat.isSymbolicLink())
    assert.is(stat.mode & 0o7777, stat.isDirectory() || path.endsWith("tool") ? 0o555 : 0o444, `mode of ${path}`);
  if (stat.isDirectory())
    for (const name of readdirSync(path).filter((n) => !n.includes("\uFFFD"))) assertCanonical(join(path, name));
}

test("a filter leaves entries out and does not enter what it leaves out", async () => {
  const root = sampleTree();
  const asked: string[] = [];
  const filter = (relative: string): boolean => asked.push(relative) > 0 && !/^(bin|big|caf)/.test(relative);
  const { narHash } = await hashTree(root, { filter });
  assert.not(asked.includes("bin/tool"));
  removeTree(join(root, "bin"));
  removeTree(join(root, "big"));
  removeTree(`${root}/caf\uDCE9`);
  assert.ok(equalHashes((await hashTree(root)).narHash, narHash));
  assert.equal(readNames(root).sort(), ["dangling", "empty", "link", "mention"]);
});

test("restoreNar() and copyTreeCanonical() make a canonical copy", async () => {
  const root = sampleTree();
  const expected = await hashTree(root);
  const restored = await restoreNar(dumpTree(root), join(work, "restored"));
  const copied = await copyTreeCanonical(root, join(work, "copied"));
  for (const found of [restored, copied]) assert.equal(found, expected);
  for (const name of ["restored", "copied"]) {
    assertCanonical(join(work, name));
    assert.is(readlinkSync(join(work, name, "dangling")), "/nowhere");
    assert.equal(await hashTree(join(work, name)), expected);
  }
});

test("restoreNar() never follows a link out of its tree", async () => {
  mkdirSync(join(work, "outside"));
  const entry = (name: string, ...node: Uint8Array[]): Uint8Array[] => [
    NAR_TOKENS.entry,
    narString(name),
    NAR_TOKENS.node,
    ...node,
    NAR_TOKENS.close,
  ];
  const link = [NAR_TOKENS.symlink, narString(join(work, "outside")), NAR_TOKENS.close];
  const directory = (...entries: Uint8Array[]): Uint8Array[] => [NAR_TOKENS.directory, ...entries, NAR_TOKENS.close];
  const hostile = concatBytes([NAR_TOKENS.start, ...directory(...entry("a", ...link), ...entry("a", ...directory()))]);
  await rejects("nar.malformed", restoreNar(one(hostile), join(work, "target")));
  assert.equal(readdirSync(join(work, "outside")), []);
});

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function rejects(code: string, promise: Promise<unknown>): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (fault: CodedError) => fault,
  );
  assert.is(error?.code, code);
}

test("what is no file, directory or link is refused", async () => {
  const server = createServer().listen(join(work, "socket"));
  await new Promise((resolve) => server.once("listening", resolve));
  try {
    await rejects("files.unsupported-type", hashTree(work));
    assert.throws(() => canonicalise(work), hasCode("files.unsupported-type"));
  } finally {
    server.close();
  }
});

test("nothing there, and a file that shrinks meanwhile", async () => {
  await rejects("source.missing", hashTree(join(work, "absent")));
  const file = join(work, "shrinking");
  writeFileSync(file, Buffer.alloc(1_000_000));
  const pieces = walkNar(file);
  pieces.next();
  truncateSync(file, 10);
  assert.throws(() => [...pieces], hasCode("files.changed"));
});

test("canonicalise() copes with files of no permission and with hard links", () => {
  const root = join(work, "odd");
  mkdirSync(join(root, "d"), { recursive: true });
  writeFileSync(join(root, "d/x"), "x", { mode: 0o000 });
  linkSync(join(root, "d/x"), join(root, "y"));
  chmodSync(join(root, "d"), 0o000);
  canonicalise(root);
  assertCanonical(root);
});

test("writeFileAtomic() and symlinkAtomic() replace in one step and leave nothing behind", () => {
  const file = join(work, "f");
  writeFileAtomic(file, "one");
  writeFileAtomic(file, "two", { mode: 0o600, sync: true });
  assert.is(readFileSync(file, "utf8"), "two");
  assert.is(statSync(file).mode & 0o777, 0o600);
  symlinkAtomic("a", join(work, "l"));
  symlinkAtomic("b", join(work, "l"));
  assert.is(readlinkSync(join(work, "l")), "b");
  assert.equal(readdirSync(work).sort(), ["f", "l"]);
  assert.throws(() => writeFileAtomic(join(work, "no/such/folder"), "x"));
});

test("syncing ends, at once or later; a place that does not exist is an error", async () => {
  const root = sampleTree();
  syncTrees([root], work);
  await syncTreesLater([root], work);
  for (let i = 0; i < 20; i++) writeFileSync(join(root, `n${i}`), "x");
  syncTrees([root], work);
  await syncTreesLater([root], work);
  await rejects("files.sync-failed", syncFilesystemLater(join(work, "absent")));
  assert.throws(() => syncFilesystem(join(work, "absent")), hasCode("files.sync-failed"));
});

test("removeTree() removes read-only trees, and nothing is fine", () => {
  const root = sampleTree();
  canonicalise(root);
  removeTree(root);
  assert.not(existsSync(root));
  removeTree(root);
});

test("makeSourceHost() counts what git counts, and its list keeps exactly that", async () => {
  const root = join(work, "checkout");
  mkdirSync(join(root, "src"), { recursive: true });
  writeFileSync(join(root, ".gitignore"), "*.o\n");
  for (const name of ["src/a.c", "src/a.o", "untracked"]) writeFileSync(join(root, name), name);
  execFileSync("git", ["init", "-q", root]);
  execFileSync("git", ["-C", root, "add", "src", ".gitignore"]);
  const found = makeSourceHost().hashTree(root);
  assert.equal([...(found.files ?? [])].sort(), [".gitignore", "src", "src/a.c", "untracked"]);
  const same = await hashTree(root, { filter: filterFromFiles(found.files ?? []) });
  assert.ok(equalHashes(found.narHash, same.narHash));
  const sources = makeSourceHost().hashTree(join(root, "src"), (name) => name.endsWith(".c"));
  assert.equal(sources.files, ["a.c"]);
});

test("makeSourceHost() counts everything outside of checkouts", () => {
  assert.is(makeSourceHost().hashTree(sampleTree()).files, undefined);
  assert.throws(() => makeSourceHost().hashTree(join(work, "absent")), hasCode("source.missing"));
});

test.run();

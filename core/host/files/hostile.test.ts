import { spawnSync } from "node:child_process";
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, concatBytes, utf8 } from "../../base/index.ts";
import { NAR_TOKENS, NarParser, narLength, narString } from "../../store/index.ts";
import { copyTreeCanonical, removeTree, restoreNar } from "./index.ts";

/** Archives that mean ill: refused or harmless, nothing outside of the target, bounded memory. */
let work = "";
test.before.each(() => {
  work = mkdtempSync(join(tmpdir(), "floe-hostile-"));
  mkdirSync(join(work, "outside"));
});
test.after.each(() => removeTree(work));

const { start, file, executable, symlink, directory, entry, node, close } = NAR_TOKENS;
const plain = (contents: string | Uint8Array): Uint8Array => concatBytes([file, narString(contents), close]);
const link = (target: string): Uint8Array => concatBytes([symlink, narString(target), close]);
const folder = (...entries: readonly (readonly [name: string | Uint8Array, node: Uint8Array])[]): Uint8Array =>
  concatBytes([directory, ...entries.flatMap(([name, inner]) => [entry, narString(name), node, inner, close]), close]);
const archive = (root: Uint8Array): Uint8Array => concatBytes([start, root]);

async function* pieces(bytes: Uint8Array, size = 4096): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function restore(
  bytes: Uint8Array | AsyncIterable<Uint8Array>,
  to = join(work, "target"),
): Promise<string | undefined> {
  return restoreNar(bytes instanceof Uint8Array ? pieces(bytes) : bytes, to).then(
    () => undefined,
    (error: CodedError) => error.code,
  );
}

function assertOutsideUntouched(): void {
  assert.equal(readdirSync(join(work, "outside")), []);
  assert.equal(
    readdirSync(work).filter((name) => name !== "outside" && name !== "target"),
    [],
  );
}

test("names that leave their directory are refused", async () => {
  for (const name of ["..", ".", "", "../outside/x", "a/b", "/etc/x", `${work}/outside/x`, "a\0b", "..\0"]) {
    assert.is(await restore(archive(folder([name, plain("x")]))), "nar.malformed", JSON.stringify(name));
    removeTree(join(work, "target"));
    assertOutsideUntouched();
  }
  assert.is(await restore(archive(folder(["n".repeat(256), plain("x")]))), "nar.malformed");
  removeTree(join(work, "target"));
  assert.is(await restore(archive(folder(["n".repeat(255), plain("x")]))), undefined);
});

test("a link cannot stand for a directory, and repeated names are refused", async () => {
  const outside = join(work, "outside");
  for (const second of [folder(["x", plain("x")]), plain("x"), link("y")]) {
    assert.is(await restore(archive(folder(["a", link(outside)], ["a", second]))), "nar.malformed");
    removeTree(join(work, "target"));
  }
  assert.is(await restore(archive(folder(["b", plain("")], ["a", plain("")]))), "nar.malformed");
  removeTree(join(work, "target"));
  // A link that was there before is not followed either.
  symlinkSync(outside, join(work, "target"));
  assert.is(await restore(archive(folder(["x", plain("x")]))), "EEXIST");
  assert.is(await restore(archive(plain("x"))), "EEXIST");
  symlinkSync(join(outside, "dangling"), join(work, "target2"));
  assert.is(await restore(archive(plain("x")), join(work, "target2")), "EEXIST");
  removeTree(join(work, "target2"));
  assertOutsideUntouched();
});

test("links may point anywhere, and nothing of the place they point to is touched", async () => {
  writeFileSync(join(work, "outside/kept"), "kept", { mode: 0o640 });
  const before = lstatSync(join(work, "outside/kept"));
  const tree = folder(["l", link(join(work, "outside/kept"))], ["m", link("../outside/kept")], ["self", link("self")]);
  assert.is(await restore(archive(tree)), undefined);
  const after = lstatSync(join(work, "outside/kept"));
  assert.equal([after.mode, after.mtimeMs, after.ctimeMs], [before.mode, before.mtimeMs, before.ctimeMs]);
});

test("devices, set-id bits and unknown kinds cannot be said", async () => {
  const word = (...words: string[]): Uint8Array => concatBytes(words.map(narString));
  for (const root of [
    word("(", "type", "device", "major", "1", ")"),
    word("(", "type", "fifo", ")"),
    word("(", "type", "hardlink", "target", "/etc/passwd", ")"),
    word("(", "type", "regular", "setuid", "", "contents", "x", ")"),
    word("(", "type", "regular", "executable", "setuid", "contents", "x", ")"),
    word("(", "type", "regular", "mode", "4755", "contents", "x", ")"),
  ]) {
    assert.is(await restore(archive(root)), "nar.malformed");
    removeTree(join(work, "target"));
  }
  const before = process.umask(0);
  try {
    assert.is(await restore(archive(folder(["x", concatBytes([executable, narString("x"), close])]))), undefined);
  } finally {
    process.umask(before);
  }
  assert.is(lstatSync(join(work, "target/x")).mode & 0o7777, 0o555);
  assert.is(lstatSync(join(work, "target")).mode & 0o7777, 0o555);
});

test("names in other cases, hacks of other systems and bytes that are no text stay what they are", async () => {
  const latin = Uint8Array.of(0x63, 0xe9);
  const names = ["A", "a", "a~nix~case~hack~1", "caf\u00e9", "cafe\u0301"].sort((x, y) =>
    Buffer.compare(Buffer.from(x), Buffer.from(y)),
  );
  const all = [...names.map((name) => utf8(name)), latin].sort(Buffer.compare);
  assert.is(await restore(archive(folder(...all.map((name) => [name, plain(name)] as const)))), undefined);
  const found = readdirSync(join(work, "target"), { encoding: "buffer" }).sort(Buffer.compare);
  assert.equal(
    found.map((name) => name.toString("hex")),
    all.map((name) => Buffer.from(name).toString("hex")),
  );
});

test("lengths that lie are refused before anything is made for them", async () => {
  const huge = (high: number): Uint8Array => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setUint32(4, high, true);
    return bytes;
  };
  const before = process.memoryUsage.rss();
  for (const high of [0xffff_ffff, 0x1000_0000, 0x0fff_ffff, 0x10_0000]) {
    assert.is(await restore(archive(concatBytes([file, huge(high), utf8("x")]))), "nar.malformed");
    removeTree(join(work, "target"));
    assert.is(await restore(archive(concatBytes([directory, entry, huge(high)]))), "nar.malformed");
    removeTree(join(work, "target"));
    assert.is(await restore(concatBytes([huge(high), utf8("nix-archive-1")])), "nar.malformed");
    assert.is(await restore(archive(concatBytes([symlink, huge(high)]))), "nar.malformed");
  }
  assert.is(await restore(archive(link("t".repeat(4096)))), "nar.malformed");
  assert.ok(process.memoryUsage.rss() - before < 100 * 1024 * 1024);
});

/** Directories inside each other, without ever holding the archive. */
async function* deep(levels: number): AsyncGenerator<Uint8Array> {
  yield start;
  yield directory;
  const down = concatBytes([entry, narString("d"), node, directory]);
  for (let i = 0; i < levels; i += 100) yield concatBytes(Array.from({ length: 100 }, () => down));
}

test("directories a hundred thousand levels deep are refused", async () => {
  assert.is(await restore(deep(100_000)), "nar.malformed");
  removeTree(join(work, "target"));
  assert.not(existsSync(join(work, "target")));
});

test("three hundred thousand entries need no more memory than a few", () => {
  const parser = new NarParser({ directory() {}, endDirectory() {}, file() {}, data() {}, endFile() {}, symlink() {} });
  parser.push(concatBytes([start, directory]));
  const before = process.memoryUsage().heapUsed;
  const empty = plain("");
  for (let i = 0; i < 300_000; i += 1000) {
    const some = Array.from({ length: 1000 }, (_, j) =>
      concatBytes([entry, narString(String(i + j).padStart(8, "0")), node, empty, close]),
    );
    parser.push(concatBytes(some));
  }
  parser.push(close);
  parser.finish();
  assert.ok(process.memoryUsage().heapUsed - before < 50 * 1024 * 1024);
});

test("an endless file takes no memory", async () => {
  async function* endless(): AsyncGenerator<Uint8Array> {
    yield concatBytes([start, file, narLength(200 * 1024 * 1024)]);
    const piece = new Uint8Array(1024 * 1024);
    for (let i = 0; i < 60; i++) yield piece;
  }
  const before = process.memoryUsage.rss();
  assert.is(await restore(endless()), "nar.malformed");
  assert.ok(process.memoryUsage.rss() - before < 50 * 1024 * 1024);
});

test("copying takes nothing along but files, directories and links", async () => {
  const from = join(work, "target");
  mkdirSync(from);
  writeFileSync(join(work, "outside/secret"), "secret");
  linkSync(join(work, "outside/secret"), join(from, "hard"));
  writeFileSync(join(from, "suid"), "x", { mode: 0o4755 });
  await copyTreeCanonical(from, join(work, "copy"));
  assert.is(lstatSync(join(work, "copy/hard")).nlink, 1);
  assert.is(lstatSync(join(work, "copy/suid")).mode & 0o7777, 0o555);
  assert.is(lstatSync(join(work, "outside/secret")).nlink, 2);
  assert.is(readFileSync(join(work, "copy/hard"), "utf8"), "secret");
  assert.is(spawnSync("mkfifo", [join(from, "pipe")]).status, 0);
  const error = await copyTreeCanonical(from, join(work, "second")).then(
    () => undefined,
    (fault: CodedError) => fault,
  );
  assert.is(error?.code, "files.unsupported-type");
});

test.run();

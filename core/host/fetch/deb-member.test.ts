import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { pack } from "tar-stream";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import { fetchDebMember, type FetchDebMemberOptions } from "./deb-member.ts";

/** Packages that mean ill: only the file that is asked for is ever written, and only where the output is. */
let work = "";
test.before.each(() => {
  work = mkdtempSync(join(tmpdir(), "floe-deb-"));
  mkdirSync(join(work, "outside"));
});
test.after.each(() => rmSync(work, { recursive: true, force: true }));

type Entry = Parameters<ReturnType<typeof pack>["entry"]>[0] & { readonly contents?: string };

async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const archive = pack();
  for (const { contents, ...header } of entries) archive.entry(header, contents ?? "");
  archive.finalize();
  const pieces: Buffer[] = [];
  for await (const piece of archive) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

function debOf(data: Buffer, name = "data.tar", size = String(data.length)): string {
  const header = `${name.padEnd(16)}${"0".padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"100644".padEnd(8)}${size.padEnd(10)}\`\n`;
  const file = join(work, "package.deb");
  writeFileSync(file, Buffer.concat([Buffer.from(`!<arch>\n${header}`), data]));
  return file;
}

function take(file: string, more: Partial<FetchDebMemberOptions> = {}): Promise<string | undefined> {
  return fetchDebMember({ name: "p", file, member: "./bin/tool", output: join(work, "out"), ...more }).then(
    () => undefined,
    (error: CodedError) => error.code,
  );
}

function assertNothingElse(): void {
  assert.equal(readdirSync(join(work, "outside")), []);
  assert.equal(
    readdirSync(work).filter((name) => name !== "outside" && name !== "package.deb" && name !== "out"),
    [],
  );
}

test("entries that would leave the tree are passed over", async () => {
  const outside = join(work, "outside");
  const file = debOf(
    await tarOf([
      { name: "../outside/a", contents: "x" },
      { name: `${outside}/b`, contents: "x" },
      { name: "./bin", type: "symlink", linkname: outside },
      { name: "./bin/other", contents: "x" },
      { name: "./dev", type: "character-device", devmajor: 1, devminor: 3 },
      { name: "./pipe", type: "fifo" },
      { name: "./hard", type: "link", linkname: "/etc/passwd" },
      { name: "./bin/tool", mode: 0o6777, contents: "first" },
      { name: "./bin/tool", contents: "second" },
    ]),
  );
  assert.is(await take(file), undefined);
  assert.is(readFileSync(join(work, "out"), "utf8"), "first");
  // Set-id bits and others' right to write are not taken over.
  assert.is(lstatSync(join(work, "out")).mode & 0o7022, 0);
  assertNothingElse();
});

test("a member that is no regular file is refused", async () => {
  for (const header of [
    { type: "symlink", linkname: "/etc/passwd" },
    { type: "link", linkname: "/etc/passwd" },
    { type: "character-device", devmajor: 1, devminor: 5 },
    { type: "directory" },
  ] as const) {
    assert.is(await take(debOf(await tarOf([{ name: "./bin/tool", ...header }]))), "fetch.no-such-member", header.type);
    assert.not(existsSync(join(work, "out")));
  }
});

test("places outside of the output are refused, and links are not followed", async () => {
  const file = debOf(await tarOf([{ name: "./bin/tool", contents: "x" }]));
  assert.is(await take(file, { path: "../outside/a" }), "fetch.bad-path");
  assert.is(await take(file, { path: "/etc/a" }), "fetch.bad-path");
  symlinkSync(join(work, "outside/through"), join(work, "out"));
  assert.is(await take(file), "EEXIST");
  assertNothingElse();
});

test("sizes that lie are refused, without end or memory", async () => {
  const data = await tarOf([{ name: "./bin/tool", contents: "x" }]);
  for (const size of ["-60", "99999999", "1e9", "0x10", ""])
    assert.is(await take(debOf(data, "data.tar", size)), "fetch.bad-archive", size);
  const lying = Buffer.from(data);
  lying.write("77777777777\0", 124);
  // The sum over the header, its own field as blanks.
  lying.write("        ", 148);
  lying.write(
    `${lying
      .subarray(0, 512)
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
  );
  assert.is(await take(debOf(lying)), "fetch.too-large");
  assert.not(existsSync(join(work, "out")));
});

test("bombs are refused as they unfold, in bounded memory", async () => {
  const zeros = Buffer.alloc(64 * 1024 * 1024);
  const tar = await tarOf([
    { name: "./bin/zero", contents: zeros.toString("latin1") },
    { name: "./bin/tool", contents: "x" },
  ]);
  const before = process.memoryUsage.rss();
  for (const [name, packed] of [
    ["data.tar.gz", gzipSync(tar)],
    ["data.tar.zst", zstdCompressSync(tar)],
  ] as const) {
    assert.ok(packed.length < tar.length / 500);
    assert.is(await take(debOf(packed, name), { limitBytes: 32 * 1024 * 1024 }), "fetch.too-large", name);
    assert.is(
      await take(debOf(packed, name), { member: "./bin/zero", memberLimitBytes: 1024 * 1024 }),
      "fetch.too-large",
      name,
    );
  }
  assert.not(existsSync(join(work, "out")));
  assert.ok(process.memoryUsage.rss() - before < 200 * 1024 * 1024);
});

test("an archive that is none is refused", async () => {
  assert.is(await take(debOf(Buffer.from("junk"), "data.tar.xz")), "fetch.bad-archive");
  assert.is(await take(debOf(Buffer.from("junk"), "data.tar.gz")), "fetch.bad-archive");
  assert.is(await take(debOf(Buffer.alloc(2000, 1))), "fetch.bad-archive");
  assert.is(await take(debOf(Buffer.alloc(10), "data.tar.lzma")), "fetch.bad-archive");
});

test.run();

import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { crc32, deflateRawSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as fc from "fast-check";
import type { CodedError } from "../../base/index.ts";
import { temporaryFolder, TestRepository } from "../git/testing.ts";
import { findProgram } from "../process/index.ts";
import { unpackArchive } from "./unpack-archive.ts";
import type { UnpackOptions } from "./unpacking.ts";

const root = temporaryFolder();
let count = 0;

interface ZipEntry {
  readonly name: string;
  readonly contents?: string;
  /** Rights of Unix; absent as of a system without. */
  readonly mode?: number;
  readonly flags?: number;
  /** What the archive says in place of the truth. */
  readonly size?: number;
}

/** An archive of these entries. Source: APPNOTE.TXT of PKWARE, 4.3.7, 4.3.12, 4.3.16. */
function archive(entries: readonly ZipEntry[]): string {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, contents = "", mode, flags = 0, size } of entries) {
    const packed = deflateRawSync(contents);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(flags | 0x800, 2);
    common.writeUInt16LE(8, 4);
    // 1 May 2021, 12:00.
    common.writeUInt16LE(12 << 11, 6);
    common.writeUInt16LE(((2021 - 1980) << 9) | (5 << 5) | 1, 8);
    common.writeUInt32LE(crc32(contents), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(size ?? Buffer.byteLength(contents), 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const more = Buffer.alloc(14);
    more.writeUInt32LE(((mode ?? 0) << 16) >>> 0, 6);
    more.writeUInt32LE(offset, 10);
    const madeBy = Buffer.from([30, mode === undefined ? 0 : 3]);
    directory.push(Buffer.from("PK\x01\x02"), madeBy, common, more, Buffer.from(name));
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, Buffer.from(name), packed]);
    parts.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  count += 1;
  const file = `${root}/${count}.zip`;
  writeFileSync(file, Buffer.concat([...parts, central, end]));
  return file;
}

async function unpack(file: string, options: Partial<UnpackOptions> = {}): Promise<{ to: string; newest: number }> {
  count += 1;
  const to = `${root}/to-${count}`;
  const { newestSeconds } = await unpackArchive({ file, to, what: '"it"', ...options });
  return { to, newest: newestSeconds };
}

function faultOf(file: string, options: Partial<UnpackOptions> = {}): Promise<string> {
  return unpack(file, options).then(
    () => "unpacked",
    ({ code, message }: CodedError) => `${code}: ${message}`,
  );
}

test("unpackArchive() gives the one folder at the top of a zip archive, with rights, links and times in UTC", async () => {
  const { to, newest } = await unpack(
    archive([
      { name: "hello-1.0/", mode: 0o040755 },
      { name: "hello-1.0/run", contents: "#!/bin/sh\n", mode: 0o100755 },
      { name: "hello-1.0/dir/é", contents: "x".repeat(100_000), mode: 0o100644 },
      { name: "hello-1.0/link", contents: "../run", mode: 0o120777 },
      { name: "hello-1.0/plain", contents: "plain" },
    ]),
  );
  assert.equal(readdirSync(to).sort(), ["dir", "link", "plain", "run"]);
  assert.is(lstatSync(`${to}/run`).mode & 0o777, 0o755);
  assert.is(lstatSync(`${to}/plain`).mode & 0o111, 0);
  assert.is(readlinkSync(`${to}/link`), "../run");
  assert.is(readFileSync(`${to}/dir/é`, "utf8").length, 100_000);
  assert.is(newest, Date.UTC(2021, 4, 1, 12) / 1000);
});

test("unpackArchive() takes names with backslashes, as some systems pack them", async () => {
  const { to } = await unpack(archive([{ name: "hello\\dir\\a", contents: "1" }]));
  assert.is(readFileSync(`${to}/dir/a`, "utf8"), "1");
});

test("unpackArchive() makes the tree that Nix makes of a zip archive", async () => {
  for (const program of ["zip", "nix-prefetch-url"])
    if (findProgram(program) === undefined) return console.log(`skipped: there is no program ${program}`);
  new TestRepository(`${root}/pack/hello`)
    .write({ run: { executable: "#!/bin/sh\n" }, "dir/link": { link: "../run" }, "dir/é": "text" })
    .commit();
  rmSync(`${root}/pack/hello/.git`, { recursive: true });
  execFileSync("zip", ["-q", "-y", "-r", "../referee.zip", "hello"], { cwd: `${root}/pack` });
  const env = { ...process.env, NIX_REMOTE: "", HOME: root };
  const args = ["--unpack", "--name", "source", `file://${root}/referee.zip`];
  const options = { env, encoding: "utf8" } as const;
  const theirs = execFileSync("nix-prefetch-url", ["--option", "store", `${root}/nix`, ...args], options);
  const { to } = await unpack(`${root}/referee.zip`);
  const ours = execFileSync("nix-hash", ["--type", "sha256", "--base32", to], { encoding: "utf8" });
  assert.is(ours.trim(), theirs.trim());
});

test("unpackArchive() refuses zip archives that lead outside, lie about sizes, are encrypted or cut off", async () => {
  const link = { name: "a", contents: "/etc", mode: 0o120777 };
  const bad: readonly (readonly [readonly ZipEntry[], RegExp])[] = [
    [[{ name: "../a", contents: "1" }], /^fetch\.bad-archive: .*\.\.\/a/],
    [[{ name: "/a", contents: "1" }], /^fetch\.bad-archive: .*\/a/],
    [[link, { name: "a/passwd", contents: "1" }], /something below "a", which is a link/],
    [[{ name: "a", contents: "1", flags: 1 }], /"a", which is encrypted/],
    [[{ name: "a", contents: "12345", size: 3 }], /^fetch\.bad-archive/],
    [[{ name: "a", contents: "x", mode: 0o010644 }], /"a", which is a thing of an unknown kind/],
    [[{ name: "a", contents: "x".repeat(5000), mode: 0o120777 }], /a link to more than 4096 bytes/],
    [[{ name: "caf\ufffd", contents: "1" }], /expected UTF-8/],
    [[], /it is empty/],
  ];
  for (const [entries, expected] of bad) assert.match(await faultOf(archive(entries)), expected);
  const bomb = archive([{ name: "a", contents: "0".repeat(10_000_000) }]);
  assert.match(await faultOf(bomb, { limitBytes: 1_000_000 }), /^fetch\.too-large/);
  const whole = readFileSync(archive([{ name: "a", contents: "x".repeat(1000) }]));
  writeFileSync(`${root}/cut.zip`, whole.subarray(0, whole.length - 10));
  assert.match(await faultOf(`${root}/cut.zip`), /^fetch\.bad-archive/);
});

test("unpackArchive() writes below its folder alone, whatever a zip archive says", async () => {
  const name = fc
    .array(fc.constantFrom("a", "b", "..", "", ".", "c\\d"), { maxLength: 4 })
    .map((parts) => parts.join("/"));
  const entry = fc.record({
    name,
    contents: fc.constantFrom("1", "../..", "/tmp", "a"),
    mode: fc.constantFrom(0o100644, 0o120777, 0o040755),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 6 }), async (entries) => {
      count += 1;
      const nest = `${root}/nest-${count}`;
      const file = archive(entries);
      execFileSync("mkdir", [nest]);
      await unpackArchive({ file, to: `${nest}/to`, what: "it" }).catch((error: CodedError) => {
        if (error.code !== "fetch.bad-archive") throw error;
      });
      assert.equal(
        readdirSync(nest).filter((each) => each !== "to"),
        [],
      );
      assert.not.ok(existsSync("/tmp/a/passwd"));
      rmSync(nest, { recursive: true });
    }),
    { numRuns: 60 },
  );
});

test.run();

import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { buffer } from "node:stream/consumers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as fc from "fast-check";
import { type Header, pack } from "tar-stream";
import type { CodedError } from "../../base/index.ts";
import { findProgram } from "../process/index.ts";
import { unpackTarball } from "./unpack-tarball.ts";
import type { UnpackOptions } from "./unpacking.ts";

const root = mkdtempSync(`${tmpdir()}/floe-tarball-`);
let count = 0;
test.after(() => rmSync(root, { recursive: true }));

type Entry = Partial<Header> & { name: string } & { contents?: string };

async function archive(entries: readonly Entry[]): Promise<string> {
  const stream = pack();
  for (const { contents, ...header } of entries) stream.entry(header, contents ?? "");
  stream.finalize();
  count += 1;
  const file = `${root}/${count}.tar`;
  writeFileSync(file, await buffer(stream));
  return file;
}

async function unpack(file: string, options: Partial<UnpackOptions> = {}): Promise<{ to: string; newest: number }> {
  count += 1;
  const to = `${root}/to-${count}`;
  const { newestSeconds } = await unpackTarball({ file, to, what: '"it"', ...options });
  return { to, newest: newestSeconds };
}

async function faultOf(entries: readonly Entry[], options: Partial<UnpackOptions> = {}): Promise<string> {
  const file = await archive(entries);
  return unpack(file, options).then(
    () => "unpacked",
    (error: CodedError) => `${error.code}: ${error.message}`,
  );
}

/** A folder as tar would pack it. */
function makeSource(): string {
  const folder = `${root}/source`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(`${folder}/hello-1.0/source/hello-1.0`, { recursive: true });
  writeFileSync(`${folder}/hello-1.0/run`, "#!/bin/sh\n");
  chmodSync(`${folder}/hello-1.0/run`, 0o755);
  writeFileSync(`${folder}/hello-1.0/source/${"long ".repeat(40)}é`, "x".repeat(100_000));
  symlinkSync("../run", `${folder}/hello-1.0/source/link`);
  execFileSync("ln", [`${folder}/hello-1.0/run`, `${folder}/hello-1.0/same`]);
  utimesSync(`${folder}/hello-1.0/run`, 4_000_000_000, 4_000_000_000);
  return folder;
}

test("unpackTarball() gives the one folder at the top, from every compression", async () => {
  const folder = makeSource();
  const programs = { gzip: "-z", xz: "-J", zstd: "--zstd", bzip2: "-j", tar: "" };
  for (const [program, flag] of Object.entries(programs)) {
    if (findProgram(program) === undefined) {
      console.log(`skipped: there is no program ${program}`);
      continue;
    }
    const file = `${root}/source.${program}`;
    execFileSync("tar", ["-C", folder, "-cf", file, ...(flag === "" ? [] : [flag]), "hello-1.0"]);
    const { to, newest } = await unpack(file);
    assert.equal(readdirSync(to).sort(), ["run", "same", "source"], program);
    assert.is(lstatSync(`${to}/run`).mode & 0o777, 0o755);
    assert.is(lstatSync(`${to}/same`).mode & 0o777, 0o755);
    assert.is(readFileSync(`${to}/source/${"long ".repeat(40)}é`, "utf8").length, 100_000);
    assert.is(readlinkSync(`${to}/source/link`), "../run");
    assert.ok(existsSync(`${to}/source/hello-1.0`));
    assert.is(newest, 4_000_000_000);
    rmSync(to, { recursive: true });
  }
});

test("unpackTarball() makes the tree that Nix makes", async () => {
  if (findProgram("nix-prefetch-url") === undefined) return console.log("skipped: there is no Nix");
  const folder = makeSource();
  execFileSync("tar", ["-C", folder, "-czf", `${root}/referee.tar.gz`, "hello-1.0"]);
  const env = { ...process.env, NIX_REMOTE: "", HOME: root };
  const args = ["--unpack", "--name", "source", `file://${root}/referee.tar.gz`];
  const theirs = execFileSync("nix-prefetch-url", ["--option", "store", `${root}/nix`, ...args], {
    env,
    encoding: "utf8",
  });
  const { to } = await unpack(`${root}/referee.tar.gz`);
  const ours = execFileSync("nix-hash", ["--type", "sha256", "--base32", to], { encoding: "utf8" });
  assert.is(ours.trim(), theirs.trim());
});

test("unpackTarball() keeps an archive with several things at its top as it is", async () => {
  const { to } = await unpack(
    await archive([
      { name: "a", contents: "1" },
      { name: "./b/c", contents: "2" },
    ]),
  );
  assert.equal(readdirSync(to).sort(), ["a", "b"]);
});

test("unpackTarball() lets a later entry replace an earlier one", async () => {
  const { to } = await unpack(
    await archive([
      { name: "s/a", type: "symlink", linkname: "/etc/passwd" },
      { name: "s/a", contents: "new" },
      { name: "s/b", type: "link", linkname: "s/a" },
      { name: "s/a", contents: "newer" },
    ]),
  );
  assert.equal([readFileSync(`${to}/a`, "utf8"), readFileSync(`${to}/b`, "utf8")], ["newer", "new"]);
});

test("unpackTarball() refuses what leads outside, and writes nothing there", async () => {
  const outside = `${root}/outside`;
  mkdirSync(outside);
  const hostile: Readonly<Record<string, readonly Entry[]>> = {
    "leads up": [{ name: "s/../../outside/x", contents: "1" }],
    "begins at the root": [{ name: `${outside}/x`, contents: "1" }],
    "which is a link": [
      { name: "s/l", type: "symlink", linkname: outside },
      { name: "s/l/x", contents: "1" },
    ],
    "which is a file": [
      { name: "s/f", contents: "1" },
      { name: "s/f/x", contents: "1" },
    ],
    "which it does not have": [{ name: "s/h", type: "link", linkname: "etc/passwd" }],
    "both as a folder": [
      { name: "s/d", type: "directory" },
      { name: "s/d", contents: "1" },
    ],
    "a character-device": [{ name: "s/null", type: "character-device" }],
    "a fifo": [{ name: "s/p", type: "fifo" }],
    "it is empty": [],
  };
  for (const [said, entries] of Object.entries(hostile)) {
    const fault = await faultOf(entries);
    assert.match(fault, "fetch.bad-archive");
    assert.match(fault, said);
  }
  assert.match(await faultOf([{ name: "s/h", type: "link", linkname: "../outside" }]), "leads up");
  assert.equal(readdirSync(outside), []);
});

test("unpackTarball() refuses what is too large, has too much in it, or is cut off", async () => {
  const file: Entry = { name: "s/a", contents: "x".repeat(10_000) };
  assert.match(await faultOf([file], { limitBytes: 5000 }), "fetch.too-large");
  assert.match(await faultOf([file, { name: "s/b" }], { limitEntries: 2 }), "more than 2 files");
  const whole = readFileSync(await archive([file]));
  for (const [name, bytes] of [
    ["cut", whole.subarray(0, 3000)],
    ["text", Buffer.from("<html>not here</html>".repeat(100))],
  ] as const) {
    writeFileSync(`${root}/${name}`, bytes);
    const code = await unpack(`${root}/${name}`).then(
      () => "unpacked",
      (error: CodedError) => error.code,
    );
    assert.is(code, "fetch.bad-archive", name);
  }
});

test("unpackTarball() writes below its folder alone, whatever the entries are", async () => {
  const part = fc.constantFrom("a", "b", "..", ".", "l", "");
  const name = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
  const entry = fc.record({
    name,
    type: fc.constantFrom("file" as const, "symlink" as const, "link" as const, "directory" as const),
    linkname: fc.constantFrom("..", "/", "a", "l", "../..", "a/b"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 8 }), async (entries) => {
      const nest = mkdtempSync(`${root}/nest-`);
      const file = await archive(entries.map((each) => (each.name === "" ? { ...each, name: "a" } : each)));
      await unpackTarball({ file, to: `${nest}/to`, what: "it" }).catch((error: CodedError) => {
        if (error.code !== "fetch.bad-archive") throw error;
      });
      const beside = readdirSync(nest).filter((each) => each !== "to");
      rmSync(nest, { recursive: true });
      return beside.length === 0;
    }),
    { numRuns: 150 },
  );
});

test.run();

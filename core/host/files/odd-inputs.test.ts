import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { concatBytes, toBase64 } from "../../base/index.ts";
import { copyTreeCanonical, hashTree, removeTree, restoreNar, walkNar } from "./index.ts";

let work = "";
test.before.each(() => {
  work = mkdtempSync(join(tmpdir(), "floe-odd-"));
});
test.after.each(() => removeTree(work));

const present = spawnSync("nix-store", ["--version"]).status === 0;
const referee = present ? test : test.skip;
if (!present) console.log("skipped: nix-store is not on the PATH, so real Nix cannot be asked");

/** Sizes around the ones at which reading and writing go other ways: 64 KiB, 256 KiB and 1 MiB. */
const SIZES = [0, 1, 7, 8, 9, 65_535, 65_536, 65_537, 262_143, 262_145, 1_048_575, 1_048_577, 3_000_001];

/** Names with everything a name may hold. */
const NAMES = ["-n", " ", "a\nb", "quote'\"", "back\\slash", "*?[", "~", ".hidden", "é", "💀", "Z", "a", "A"].map(
  (name) => Buffer.from(name),
);

/** Things at the top of an archive, in a folder of their own. */
function makeOddThings(): { readonly folder: string; readonly names: readonly string[] } {
  const folder = join(work, "odd");
  mkdirSync(folder);
  const at = (name: string): string => join(folder, name);
  writeFileSync(at("empty"), "");
  writeFileSync(at("empty-program"), "", { mode: 0o755 });
  writeFileSync(at("owner-only"), "x", { mode: 0o700 });
  writeFileSync(at("group-only"), "x");
  chmodSync(at("group-only"), 0o654);
  mkdirSync(at("empty-directory"));
  symlinkSync("no/such/place", at("link"));
  symlinkSync("/", at("link-to-root"));
  mkdirSync(at("sizes"));
  for (const size of SIZES) writeFileSync(at(`sizes/of-${size}`), Buffer.alloc(size, `${size} `));
  mkdirSync(at("names/in/deep"), { recursive: true });
  for (const name of [...NAMES, Buffer.of(0xff, 0xfe), Buffer.of(0xed, 0xa0, 0x80), Buffer.alloc(255, "n")])
    writeFileSync(Buffer.concat([Buffer.from(`${at("names")}/`), name]), name);
  symlinkSync(Buffer.of(0x2f, 0xff, 0x0a), at("names/in/deep/link"));
  return { folder, names: readdirSync(folder) };
}

function dumpOfNix(path: string): Buffer {
  const { status, stdout, stderr } = spawnSync("nix-store", ["--dump", path], { maxBuffer: 1 << 28 });
  assert.is(status, 0, String(stderr));
  return stdout;
}

function dumpOfOurs(path: string): Uint8Array {
  return concatBytes(Array.from(walkNar(path), (piece) => new Uint8Array(piece)));
}

referee("Nix's archives are ours, and what is copied or unpacked from them gives the same ones to Nix", async () => {
  const { folder, names } = makeOddThings();
  const [copies, unpacked] = [join(work, "copied"), join(work, "unpacked")];
  for (const place of [copies, unpacked]) mkdirSync(place);
  for (const name of names) {
    const path = join(folder, name);
    const theirs = dumpOfNix(path);
    assert.ok(theirs.equals(dumpOfOurs(path)), name);
    await copyTreeCanonical(path, join(copies, name));
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let start = 0; start < theirs.length; start += 9973) yield theirs.subarray(start, start + 9973);
    }
    await restoreNar(pieces(), join(unpacked, name));
  }
  // The archive of a folder has those of its entries in it, and each start of Nix takes time.
  const all = dumpOfNix(folder);
  assert.ok(all.equals(dumpOfOurs(folder)), "all of them");
  assert.ok(dumpOfNix(copies).equals(all), "the copies");
  assert.ok(dumpOfNix(unpacked).equals(all), "what was unpacked");
});

referee("a file beyond 4 GiB begins as Nix's does", async () => {
  const file = join(work, "huge");
  closeSync(openSync(file, "w"));
  // Sparse: it takes no space.
  truncateSync(file, 2 ** 32 + 5);
  const child = spawn("nix-store", ["--dump", file], { stdio: ["ignore", "pipe", "ignore"] });
  // Magic, type and length: 13 words of 8 bytes or multiples of it. They may come in several pieces.
  let theirs: Uint8Array = new Uint8Array();
  for await (const piece of child.stdout) {
    theirs = concatBytes([theirs, piece as Buffer]);
    if (theirs.length >= 128) break;
  }
  child.kill();
  const begun: Uint8Array[] = [];
  for (const piece of walkNar(file)) {
    begun.push(new Uint8Array(piece.subarray(0, 128)));
    if (begun.length === 2) break;
  }
  assert.is(toBase64(concatBytes(begun).subarray(0, 128)), toBase64(theirs.subarray(0, 128)));
});

test("a pipe and a socket in a tree are refused by name", async () => {
  for (const [kind, make] of [
    ["pipe", ["mkfifo", "PLACE"]],
    ["socket", ["perl", "-MIO::Socket::UNIX", "-e", "IO::Socket::UNIX->new(Local => 'PLACE', Listen => 1) or die"]],
  ] as const) {
    const place = join(work, kind, "in/side");
    mkdirSync(join(work, kind, "in"), { recursive: true });
    const [program, ...args] = make.map((word) => word.replace("PLACE", place)) as [string, ...string[]];
    assert.is(spawnSync(program, args).status, 0, kind);
    const error = await copyTreeCanonical(join(work, kind), join(work, `${kind}-copy`)).then(
      () => undefined,
      (fault: { code: string; message: string }) => fault,
    );
    assert.is(error?.code, "files.unsupported-type");
    assert.match(error?.message ?? "", `"${place}"`);
  }
});

test("a pipe that takes the place of a file cannot make a walk wait", () => {
  const file = join(work, "file");
  writeFileSync(file, "contents");
  const swap = (): void => {
    rmSync(file);
    assert.is(spawnSync("mkfifo", [file]).status, 0);
  };
  assert.throws(
    () => [...walkNar(file, { inspect: swap })],
    (error: { code: string }) => error.code === "files.changed",
  );
});

test("a link that takes the place of a file is not followed", () => {
  const file = join(work, "file");
  const secret = join(work, "secret");
  writeFileSync(file, "contents");
  writeFileSync(secret, "a secret");
  const swap = (): void => {
    rmSync(file);
    symlinkSync(secret, file);
  };
  assert.throws(
    () => [...walkNar(file, { inspect: swap })],
    (error: { code: string }) => error.code === "ELOOP",
  );
});

test("what is hashed is what was written, while somebody writes to the source", async () => {
  const file = join(work, "busy");
  writeFileSync(file, Buffer.alloc(24_000_000, "before "));
  const script = `const fs = require("node:fs"); const fd = fs.openSync(process.argv[1], "r+"); 
    for (let i = 1; ; i++) {
      fs.writeSync(fd, String(i).repeat(2000), (i * 7919 * 4096) % 23_000_000);
      if (i === 100) fs.writeSync(1, "on");
    }`;
  const child = spawn(process.execPath, ["-e", script, file], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    await new Promise((resolve) => child.stdout.once("data", resolve));
    const copied = await copyTreeCanonical(file, join(work, "copy"));
    assert.equal(await hashTree(join(work, "copy")), copied);
    assert.not(readFileSync(join(work, "copy")).equals(Buffer.alloc(24_000_000, "before ")));
  } finally {
    child.kill("SIGKILL");
  }
});

test("a big file that shrinks while it is copied is an error, and the next copy is whole", async () => {
  const file = join(work, "shrinking");
  writeFileSync(file, Buffer.alloc(8_000_000, "shrinks "));
  const error = await copyTreeCanonical(file, join(work, "half"), {
    narHashers: [{ update: () => truncateSync(file, 4_000_000), digest: () => assert.unreachable() as never }],
  }).then(
    () => undefined,
    (fault: { code: string; message: string }) => fault,
  );
  assert.is(error?.code, "files.changed");
  assert.match(error?.message ?? "", `"${file}"`);
  assert.equal(await copyTreeCanonical(file, join(work, "whole")), await hashTree(file));
  assert.equal(await hashTree(join(work, "whole")), await hashTree(file));
});

test.run();

import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CodedError, concatBytes, equalBytes, fromBase64, utf8 } from "../../base/index.ts";
import { findProgram } from "../process/index.ts";
import { detectCompression, parseCompression } from "./compression.ts";
import { decompress } from "./decompress.ts";

/** Packs contents; absent where there is no program for it. */
const PACKERS: readonly (readonly [string, (contents: Uint8Array) => Uint8Array])[] = [
  ["none", (contents) => contents],
  ["gzip", (contents) => gzipSync(contents)],
  ["zstd", (contents) => zstdCompressSync(contents)],
  ["br", (contents) => brotliCompressSync(contents)],
  ...["xz", "bzip2", "lzip", "lz4"]
    .filter((name) => findProgram(name) !== undefined)
    .map((name) => [name, (contents: Uint8Array) => runProgram(name, contents)] as const),
];

function runProgram(name: string, input: Uint8Array): Uint8Array {
  const { status, stdout } = spawnSync(name, ["-c"], { input, maxBuffer: 1 << 26 });
  assert.is(status, 0);
  return stdout;
}

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

async function unpack(packed: Uint8Array, compression: string, sizeBytes: number, pieces = 65536): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const piece of decompress(cut(packed, pieces), compression, sizeBytes)) parts.push(piece);
  return concatBytes(parts);
}

async function fails(code: string, run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    assert.is((error as CodedError).code, code, String(error));
    return;
  }
  assert.unreachable(`expected ${code}`);
}

const CONTENTS = concatBytes([utf8("nix-archive-1".repeat(1000)), randomBytes(300_000), new Uint8Array(2_000_000)]);

for (const [compression, pack] of PACKERS) {
  const packed = pack(CONTENTS);

  test(`decompress() gives back what was packed with ${compression}`, async () => {
    for (const pieces of [packed.length, 1000])
      assert.ok(equalBytes(await unpack(packed, compression, CONTENTS.length, pieces), CONTENTS));
    assert.equal(await unpack(pack(new Uint8Array(0)), compression, 0), new Uint8Array(0));
  });

  test(`decompress() stops at the first byte too many of ${compression}`, async () => {
    await fails("store.nar-mismatch", () => unpack(packed, compression, CONTENTS.length - 1));
    await fails("store.nar-mismatch", () => unpack(packed, compression, 10));
  });

  if (compression === "none") continue;

  test(`decompress() refuses ${compression} that is cut off or damaged`, async () => {
    await fails("cache.compression-malformed", () => unpack(packed.subarray(0, packed.length - 9), compression, 1e9));
    const damaged = Uint8Array.from(packed);
    damaged.fill(0xff, 40, 90);
    try {
      // Formats without a checksum may unpack to something else, which its hash then tells.
      assert.not.ok(equalBytes(await unpack(damaged, compression, CONTENTS.length), CONTENTS));
    } catch (error) {
      assert.match((error as CodedError).code, /^(cache\.compression-malformed|store\.nar-mismatch)$/);
    }
  });

  test(`decompress() passes on what the source of ${compression} fails with`, async () => {
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield packed.subarray(0, 100);
      throw new CodedError("cache.unreachable", "gone");
    };
    await fails("cache.unreachable", async () => {
      for await (const _ of decompress(broken(), compression, CONTENTS.length));
    });
  });

  if (compression === "br") continue;

  test(`decompress() finds ${compression} under another name`, async () => {
    const small = pack(utf8("contents"));
    for (const name of ["xz", "bzip2", "zstd", "anything"])
      assert.equal(await unpack(small, name, 8), utf8("contents"));
    assert.equal(await unpack(utf8("plain"), compression, 5), utf8("plain"));
  });
}

test("decompress() reads frames of zstd and members of gzip one after the other", async () => {
  const parts = [utf8("one "), new Uint8Array(0), utf8("two "), randomBytes(100_000), utf8("three")];
  const whole = concatBytes(parts);
  for (const [name, pack] of [
    ["zstd", zstdCompressSync],
    ["gzip", gzipSync],
  ] as const) {
    const packed = concatBytes(parts.map((part) => pack(part)));
    for (const pieces of [packed.length, 7, 5000])
      assert.ok(equalBytes(await unpack(packed, name, whole.length, pieces), whole));
    await fails("store.nar-mismatch", () => unpack(packed, name, 6));
  }
});

test("decompress() passes over frames of zstd that hold nothing, also the first", async () => {
  // pzstd writes one before each of its frames: magic number, length, and as many bytes.
  const skipped = new Uint8Array([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);
  const packed = concatBytes([
    skipped,
    zstdCompressSync(utf8("one ")),
    skipped,
    zstdCompressSync(utf8("two")),
    skipped,
  ]);
  for (const pieces of [packed.length, 3]) assert.equal(await unpack(packed, "zstd", 7, pieces), utf8("one two"));
});

test("decompress() unpacks xz and bzip2 without their programs", async () => {
  const path = process.env["PATH"];
  const packed = PACKERS.filter(([name]) => name === "xz" || name === "bzip2").map(
    ([name, pack]) => [name, pack(CONTENTS)] as const,
  );
  process.env["PATH"] = "/nowhere";
  try {
    for (const [name, bytes] of packed) {
      assert.ok(equalBytes(await unpack(bytes, name, CONTENTS.length), CONTENTS), name);
      await fails("store.nar-mismatch", () => unpack(bytes, name, 10));
      await fails("cache.compression-malformed", () => unpack(bytes.subarray(0, 5000), name, CONTENTS.length));
      const broken = async function* (): AsyncGenerator<Uint8Array> {
        yield bytes.subarray(0, 100);
        throw new CodedError("cache.unreachable", "gone");
      };
      await fails("cache.unreachable", async () => {
        for await (const _ of decompress(broken(), name, CONTENTS.length));
      });
    }
    await fails("cache.compression-unsupported", () => unpack(utf8("LZIP nothing"), "lzip", 10));
  } finally {
    process.env["PATH"] = path;
  }
});

test("decompress() reads what Nix packed", async () => {
  // Nix 2.8: nix copy --to 'file://…?compression=…' of one small object; each file unpacks to an archive of 120 bytes.
  for (const [name, file] of [
    [
      "zstd",
      "KLUv/QBYhQIAMoQOFpBNY/AtVSQX7k3amJkpV+e/KQpUlAL/P1Ioh23h2cTNZk2s16AF9eEfnWkPPgb+RGHEmKWnJJYbAQgAUzAaDAQGAgOBgcHAwAgDaAM=",
    ],
    ["br", "G3cAABah0gnY2SkiZdkZDMbRQH19P3/7UlBFGgmuHWzzaAN8zz9Fby4EQAdEQEohA1qpAAboCfCefSsCYAA="],
    [
      "gzip",
      "H4sIAE3bAGsAA+NlgIC8zArdxKLkjMyyVF1DIJ8RKq4BpVmgdEllQSqIZofyi1LTS3MSixg4oPzk/LyS1LySYlYoPyc1MY0LyTxNKA0ANf14gXgAAAA=",
    ],
    [
      "bzip2",
      "QlpoOTFBWSZTWX7oQy4AACBZgG7SAGIgACvl32AgAEDSnqYnoTTQDTRtIYwAAAAE4RYHpGEHyzMEAPMCISqY3xKa7HQ0b6rWW7SlfliFc66Br0BrcM/F3JFOFCQfuhDLgA==",
    ],
    [
      "xz",
      "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4AB3AEFdAAaANh/vps6/droaek8r6qRTJO2hIwRx/1u/l2m68ym+JEmkcF2PMAtHKBMzvRezszyuOHzIX2L16YxU4IsUhYQGAAAAAJhA4HDZt8hdAAFdeDxvTXEftvN9AQAAAAAEWVo=",
    ],
  ] as const) {
    const nar = await unpack(fromBase64(file), name, 120);
    assert.is(nar.length, 120, name);
    assert.match(Buffer.from(nar).toString("latin1"), /^\r\0{7}nix-archive-1/);
  }
});

test("detectCompression() ends for any bytes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), fc.constantFrom("gzip", "zstd", "br"), async (bytes, name) => {
      detectCompression(name, bytes);
      try {
        await unpack(bytes, name, 1000, 3);
      } catch (error) {
        assert.match((error as CodedError).code, /^(cache\.compression-malformed|store\.nar-mismatch)$/);
      }
    }),
    {
      numRuns: 100,
      examples: [
        [fromBase64("H4sI"), "gzip"],
        [fromBase64("KLUv/Q=="), "zstd"],
      ],
    },
  );
});

test("parseCompression() refuses a name it does not know", () => {
  assert.is(parseCompression("zstd"), "zstd");
  for (const name of ["", "rar", "toString"])
    assert.throws(
      () => parseCompression(name),
      (error: CodedError) => error.code === "cache.compression-unknown",
    );
});

test.run();

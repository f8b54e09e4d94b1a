import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, concatBytes, fromUtf8, sortedText } from "../../base/index.ts";
import { dumpFileNar, formatContentAddress, narLength, narString, type PathInfo, type StorePath } from "../index.ts";
import {
  type BasicDerivation,
  type DerivedPath,
  formatDerivedPath,
  formatPathWithOutputs,
  isSuccess,
  type LogMessage,
  parseDerivedPath,
  parsePathWithOutputs,
  readBasicDerivation,
  readBuildResult,
  readLogMessage,
  readPathInfo,
  readServePathInfo,
  readTextMap,
  serveBuildResultParts,
  type WireBuildResult,
  WireReader,
  WireWriter,
  workerBuildResultParts,
  writeBasicDerivation,
  writeBuildResult,
  writeLogMessage,
  writePathInfo,
  writeServePathInfo,
  writeTextMap,
} from "./index.ts";

async function written(write: (writer: WireWriter) => void | Promise<void>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const writer = new WireWriter({ write: (bytes) => void parts.push(bytes) });
  await write(writer);
  await writer.flush();
  return concatBytes(parts);
}

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

const reading = (bytes: Uint8Array, size = 5): WireReader => new WireReader(pieces(bytes, size));

async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return concatBytes(parts);
}

async function refuses(code: string, run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    assert.is((error as CodedError).code, code);
    return;
  }
  assert.unreachable(`expected ${code}`);
}

/** Any bytes, as text. */
const text = fc.uint8Array({ maxLength: 20 }).map(fromUtf8);
const digest = fc.string({
  unit: fc.constantFrom(..."0123456789abcdfghijklmnpqrsvwxyz"),
  minLength: 32,
  maxLength: 32,
});
const named = (name: fc.Arbitrary<string>) =>
  fc.tuple(digest, name).map(([d, n]) => `/nix/store/${d}-${n}` as StorePath);
const path = named(fc.constantFrom("a", "hello-2.12", "x.drv"));
const drvPath = named(fc.constantFrom("a.drv", "hello-2.12.drv"));
const paths = fc.array(path, { maxLength: 4 }).map((all) => sortedText(new Set(all)) as StorePath[]);
const hash = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => ({ algorithm: "sha256" as const, digest: bytes }));
const plain = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(model, { noNullPrototype: true });
const count = fc.nat().map((n) => n * 4_000_000);
const info: fc.Arbitrary<PathInfo> = fc
  .record(
    {
      path,
      narHash: hash,
      narSize: count,
      references: paths,
      deriver: drvPath,
      registrationTime: count,
      ultimate: fc.boolean(),
      signatures: fc.array(text, { maxLength: 3 }).map((all) => sortedText(new Set(all))),
      ca: hash.map((h) => formatContentAddress({ method: "recursive", hash: h })),
    },
    {
      noNullPrototype: true,
      requiredKeys: ["path", "narHash", "narSize", "references", "registrationTime", "ultimate", "signatures"],
    },
  )
  .map((facts) => facts as PathInfo);
const record = <T>(value: fc.Arbitrary<T>) => fc.dictionary(text, value, { maxKeys: 4 });

test("WireReader reads numbers and texts as WireWriter writes them, in pieces of any size", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(count, text, fc.boolean(), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.array(text))),
      fc.integer({ min: 1, max: 20 }),
      async (values, size) => {
        const bytes = await written((writer) => {
          for (const value of values) {
            if (Array.isArray(value)) writer.texts(value);
            else if (typeof value === "string") writer.text(value);
            else if (typeof value === "boolean") writer.bool(value);
            else writer.number(value);
          }
        });
        const reader = reading(bytes, size);
        for (const value of values) {
          if (Array.isArray(value)) assert.equal(await reader.texts(), value);
          else if (typeof value === "string") assert.is(await reader.text(), value);
          else if (typeof value === "boolean") assert.is(await reader.bool(), value);
          else if (typeof value === "bigint") assert.is(await reader.wideNumber(), value);
          else assert.is(await reader.number(), value);
        }
        assert.is(await reader.begin(), false);
      },
    ),
    { numRuns: 200 },
  );
});

test("a number and a text have the bytes Nix gives them", async () => {
  // shared vectors worker-protocol.json, "client version 1.34": the answer's str("2.8.0") and LAST
  const bytes = await written((writer) => void writer.text("2.8.0").number(0x616c7473));
  assert.is(Buffer.from(bytes).toString("base64"), "BQAAAAAAAAAyLjguMAAAAHN0bGEAAAAA");
});

test("what is longer than a chunk of the writer arrives whole", async () => {
  const long = "x".repeat(100_001);
  const bytes = await written((writer) => void writer.text("a").text(long).text("b"));
  const reader = reading(bytes, 4096);
  assert.equal([await reader.text(), await reader.text(), await reader.text()], ["a", long, "b"]);
});

test("path infos come out as they went in, in every version", async () => {
  await fc.assert(
    fc.asyncProperty(info, fc.constantFrom(15, 16, 38), async (facts, minor) => {
      const bytes = await written((writer) => writePathInfo(writer, facts, minor));
      const expected: PathInfo =
        minor >= 16
          ? facts
          : { ...facts, ultimate: false, signatures: [], ...("ca" in facts ? { ca: undefined } : {}) };
      const found = await readPathInfo(reading(bytes), facts.path, minor);
      assert.equal({ ...found, ...("ca" in expected && !("ca" in found) ? { ca: undefined } : {}) }, expected);
    }),
  );
  await fc.assert(
    fc.asyncProperty(info, async (facts) => {
      const reader = reading(await written((writer) => writeServePathInfo(writer, facts, 7)));
      const { registrationTime: _, ultimate: __, ...sent } = facts;
      assert.equal(await readServePathInfo(reader, await reader.path()), sent);
      assert.is(await reader.begin(), false);
    }),
  );
});

test("derivations and maps come out as they went in", async () => {
  const derivation: fc.Arbitrary<BasicDerivation> = fc.record({
    outputs: record(fc.record({ path: text, hashAlgorithm: text, hash: text }, { noNullPrototype: true })),
    inputSources: paths,
    system: text,
    builder: text,
    args: fc.array(text, { maxLength: 4 }),
    env: record(text),
  });
  await fc.assert(
    fc.asyncProperty(derivation, async (drv) => {
      const bytes = await written((writer) => writeBasicDerivation(writer, drv));
      const again = await readBasicDerivation(reading(bytes));
      assert.equal(Object.entries(again.env).sort(), Object.entries(drv.env).sort());
      assert.equal(Object.entries(again.outputs).sort(), Object.entries(drv.outputs).sort());
      assert.equal({ ...again, env: {}, outputs: {} }, { ...drv, env: {}, outputs: {} });
      assert.equal(await written((writer) => writeBasicDerivation(writer, again)), bytes);
    }),
  );
  const reader = reading(await written((writer) => writeTextMap(writer, { ["__proto__"]: "x", a: "1" })));
  assert.equal(Object.entries(await readTextMap(reader)), [
    ["__proto__", "x"],
    ["a", "1"],
  ]);
});

test("derived paths come out as they went in, in both forms", () => {
  const wanted: fc.Arbitrary<DerivedPath> = fc.oneof(
    named(fc.constantFrom("a", "hello-2.12")).map((p) => ({ kind: "object" as const, path: p })),
    fc.tuple(drvPath, fc.constantFrom("all" as const, ["out"], ["dev", "out"])).map(([p, outputs]) => ({
      kind: "outputs" as const,
      drvPath: p,
      outputs,
    })),
  );
  fc.assert(
    fc.property(wanted, (each) => {
      assert.equal(parseDerivedPath(formatDerivedPath(each)), each);
      assert.equal(parsePathWithOutputs(formatPathWithOutputs(each)), each);
    }),
  );
  // Only the older form takes a .drv for its outputs.
  const drv = `/nix/store/${"0".repeat(32)}-a.drv` as StorePath;
  assert.equal(parseDerivedPath(drv), { kind: "object", path: drv });
  assert.equal(parsePathWithOutputs(drv), { kind: "outputs", drvPath: drv, outputs: "all" });
  // Nix: DerivedPath::Built of a SingleDerivedPath::Built, to_string_legacy
  const nested = { kind: "outputs", drvPath: drv, through: ["out", "plan.drv"], outputs: ["dev", "out"] } as const;
  assert.is(formatDerivedPath(nested), `${drv}!out!plan.drv!dev,out`);
  assert.equal(parseDerivedPath(`${drv}!out!plan.drv!out,dev`), nested);
  assert.is(formatPathWithOutputs({ ...nested, outputs: "all" }), `${drv}!out!plan.drv!*`);
  for (const wrong of [`${drv}!*!out`, `${drv}!a,b!out`, `${drv}!!out`, `${drv}${"!out".repeat(102)}`])
    assert.throws(
      () => parseDerivedPath(wrong),
      (error: CodedError) => error.code === "derived-path.malformed",
      wrong,
    );
  for (const wrong of [`${drv}!`, `${drv}!a,`, `${drv}!a/b`, `/nix/store/${"0".repeat(32)}-a!out`]) {
    assert.throws(
      () => parseDerivedPath(wrong),
      (error: CodedError) => error.code === "derived-path.malformed",
    );
  }
});

test("build results come out as they went in, as far as a version sends them", async () => {
  const result: fc.Arbitrary<WireBuildResult> = fc.record(
    {
      status: fc.integer({ min: 0, max: 14 }),
      message: text,
      timesBuilt: count,
      isNonDeterministic: fc.boolean(),
      startTime: count,
      stopTime: count,
      cpuUserMicroseconds: count,
      cpuSystemMicroseconds: count,
      builtOutputs: record(text),
    },
    {
      requiredKeys: ["status", "message", "timesBuilt", "isNonDeterministic", "startTime", "stopTime", "builtOutputs"],
    },
  ) as fc.Arbitrary<WireBuildResult>;
  await fc.assert(
    fc.asyncProperty(result, async (facts) => {
      const parts = workerBuildResultParts(38);
      const found = await readBuildResult(
        reading(await written((writer) => writeBuildResult(writer, facts, parts))),
        parts,
      );
      assert.equal(Object.entries(found.builtOutputs).sort(), Object.entries(facts.builtOutputs).sort());
      assert.equal({ ...found, builtOutputs: {} }, { ...facts, builtOutputs: {} });
    }),
  );
  const old = serveBuildResultParts(2);
  const facts = { status: 3, message: "no", timesBuilt: 1, isNonDeterministic: true, startTime: 1, stopTime: 2 };
  const bytes = await written((writer) => writeBuildResult(writer, { ...facts, builtOutputs: {} }, old));
  assert.equal(await readBuildResult(reading(bytes), old), {
    status: 3,
    message: "no",
    timesBuilt: 0,
    isNonDeterministic: false,
    startTime: 0,
    stopTime: 0,
    builtOutputs: {},
  });
  assert.is(isSuccess({ ...facts, builtOutputs: {} }), false);
  assert.is(isSuccess({ ...facts, status: 13, builtOutputs: {} }), true);
});

test("messages of the log come out as they went in", async () => {
  const wide = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  const fields = fc.array(fc.oneof(wide, text), { maxLength: 4 });
  const message: fc.Arbitrary<LogMessage> = fc.oneof(
    plain({ kind: fc.constant("line" as const), text }),
    plain({ kind: fc.constant("read" as const), sizeBytes: count }),
    plain({ kind: fc.constant("write" as const), data: fc.uint8Array({ maxLength: 20 }) }),
    fc.constant({ kind: "last" as const }),
    plain({ kind: fc.constant("error" as const), message: text }),
    plain({
      kind: fc.constant("start-activity" as const),
      id: wide,
      level: fc.nat(),
      type: fc.nat(),
      text,
      fields,
      parent: wide,
    }),
    plain({ kind: fc.constant("stop-activity" as const), id: wide }),
    plain({ kind: fc.constant("result" as const), id: wide, type: fc.nat(), fields }),
  );
  await fc.assert(
    fc.asyncProperty(message, async (each) => {
      const bytes = await written((writer) => writeLogMessage(writer, each, 34));
      assert.equal(await readLogMessage(reading(bytes), 34), each);
    }),
  );
  const old: LogMessage = { kind: "error", message: "no", status: 3 };
  assert.equal(await readLogMessage(reading(await written((w) => writeLogMessage(w, old, 25))), 25), old);
  await refuses("wire.malformed", () => readLogMessage(reading(narLength(1)), 34));
});

test("frames carry what was written, and a reader inside them sees nothing else", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(text, { maxLength: 5 }), async (values) => {
      const bytes = await written(async (writer) => {
        await writer.frames((inner) => void inner.texts(values));
        writer.number(7);
      });
      const reader = reading(bytes);
      const inner = new WireReader(reader.frames());
      assert.equal(await inner.texts(), values);
      assert.is(await inner.begin(), false);
      assert.is(await reader.number(), 7);
    }),
  );
});

test("skipFrames() passes over what nobody read of framed data", async () => {
  const bytes = await written(async (writer) => {
    await writer.frames((inner) => inner.raw(pieces(new Uint8Array(100_000), 30_000)));
    writer.number(7);
  });
  const early = reading(bytes, 5000);
  early.frames();
  await early.skipFrames();
  assert.is(await early.number(), 7);
  const half = reading(bytes, 5000);
  for await (const piece of half.frames()) if (piece.length > 0) break;
  await half.skipFrames();
  assert.is(await half.number(), 7);
  await half.skipFrames();
});

test("an archive is read to its own end, and what follows is left alone", async () => {
  const nar = dumpFileNar(new Uint8Array(70_000));
  const bytes = await written(async (writer) => {
    await writer.raw(pieces(nar, 1000));
    writer.number(7);
  });
  for (const size of [7, 8192, bytes.length]) {
    const reader = reading(bytes, size);
    assert.equal(await collect(reader.nar()), nar);
    assert.is(await reader.number(), 7);
  }
  const raw = reading(bytes, 999);
  assert.equal(await collect(raw.raw(nar.length)), nar);
  assert.is(await raw.number(), 7);
});

test("the reader refuses what is out of range, dirty or too large", async () => {
  await refuses("wire.malformed", () => reading(narLength(2)).bool());
  await refuses("wire.malformed", () => reading(narLength(256)).number(255));
  await refuses("wire.malformed", () => reading(new Uint8Array(8).fill(255)).number());
  await refuses("wire.malformed", () => reading(narString("too long")).text(7));
  const dirty = narString("x").slice();
  dirty[15] = 1;
  await refuses("wire.malformed", () => reading(dirty).text());
  await refuses("wire.ended", () => reading(narString("x").subarray(0, 12)).text());
  await refuses("wire.ended", () => reading(narLength(3).subarray(0, 7)).number());
  await refuses("store-path.outside", () => reading(narString("/etc/passwd")).path());
  await refuses("store-path.malformed", () => reading(narString("/nix/store/x")).optionalPath());
});

test("a length that nobody can hold is refused before anything is taken for it", async () => {
  // No more bytes follow: were the length believed, the error would be that the stream has ended.
  await refuses("wire.malformed", () => reading(narLength(2 ** 40)).text());
  await refuses("wire.malformed", () => reading(narLength(2 ** 50)).texts());
  // Many small ones count as well.
  const many = await written((writer) => void writer.texts(Array(1000).fill("x")));
  await refuses("wire.malformed", () => new WireReader(pieces(many, 4096), { heldBytesLimit: 10_000 }).texts());
  // Each message has the whole limit.
  const reader = new WireReader(pieces(concatBytes([narString("x".repeat(80)), narString("y".repeat(80))]), 64), {
    heldBytesLimit: 200,
  });
  assert.is((await reader.text()).length, 80);
  await reader.begin();
  assert.is((await reader.text()).length, 80);
});

test.run();

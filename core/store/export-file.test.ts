import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CodedError, concatBytes, formatHash, fromUtf8, hashBytes } from "../base/index.ts";
import { EXPORT_MAGIC, readExportedFiles } from "./export-file.ts";
import { dumpNar, type ExportSink, type NarNode, narLength, narString, readExport, STORE_DIRECTORY } from "./index.ts";
import { anyStorePath, anyTree } from "./testing.ts";
import { WireReader } from "./wire/index.ts";

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const anyFile: fc.Arbitrary<NarNode> = fc.record({
  type: fc.constant("regular"),
  executable: fc.boolean(),
  contents: fc.uint8Array({ maxLength: 40 }),
});

/** Streams of objects that are mostly one file each. */
const anyStream = fc
  .array(
    fc.record({
      tree: fc.oneof({ weight: 4, arbitrary: anyFile }, { weight: 1, arbitrary: anyTree }),
      path: anyStorePath,
      references: fc.array(anyStorePath, { maxLength: 3 }),
      deriver: fc.option(anyStorePath, { nil: "" }),
      signature: fc.boolean().map((isOld) => (isOld ? [narLength(1), narString("old")] : [narLength(0)])),
    }),
    { maxLength: 5 },
  )
  .map((objects) =>
    concatBytes([
      ...objects.flatMap(({ tree, path, references, deriver, signature }) => [
        narLength(1),
        ...dumpNar(tree),
        narLength(EXPORT_MAGIC),
        narString(path),
        narLength(references.length),
        ...references.map(narString),
        narString(deriver),
        ...signature,
      ]),
      narLength(0),
    ]),
  );

const SINK: ExportSink = {
  busy: () => undefined,
  directory() {},
  endDirectory() {},
  file() {},
  data() {},
  endFile() {},
  symlink() {},
};

/** What is said of each object, then how it ended. */
async function read(stream: Uint8Array, size: number, begin?: () => ExportSink): Promise<string[]> {
  const told: string[] = [];
  try {
    for await (const event of readExport(new WireReader(cut(stream, size)), begin)) {
      const found = event.kind === "files" ? event.files : event.kind === "object" ? [event] : [];
      for (const { info, narHash, narSize } of found)
        told.push(`${info.path} ${info.references} ${info.deriver} ${formatHash(narHash, "base32")} ${narSize}`);
    }
    told.push("end");
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    told.push(error.code);
  }
  return told;
}

test("readExport() finds the same whether it reads files whole or piece by piece", async () => {
  const change = fc.option(fc.record({ at: fc.nat(), byte: fc.nat(255) }));
  await fc.assert(
    fc.asyncProperty(anyStream, fc.constantFrom(7, 300, 100_000), change, async (stream, size, changed) => {
      if (changed !== null) stream[changed.at % stream.length] = changed.byte;
      assert.equal(await read(stream, size, () => SINK), await read(stream, size));
    }),
    { numRuns: 400 },
  );
});

test("readExportedFiles() gives the files that are there as a whole", () => {
  const path = "/nix/store/2b3r1faw83dln00pq53dmccl6ri3wvxi-libalpha-1.0";
  const nar = concatBytes(dumpNar({ type: "regular", executable: true, contents: Uint8Array.of(0x68, 0x69) }));
  const object = concatBytes([
    narLength(1),
    nar,
    narLength(EXPORT_MAGIC),
    ...[narString(path), narLength(1), narString(path), narString(""), narLength(0)],
  ]);
  const { files, usedBytes } = readExportedFiles(
    concatBytes([object, object, object.subarray(0, -1)]),
    STORE_DIRECTORY,
  );
  assert.is(usedBytes, 2 * object.length);
  const [file] = files;
  assert.equal(file?.info, { path, references: [path] });
  assert.is(fromUtf8(file?.contents ?? new Uint8Array(0)), "hi");
  assert.is(file?.executable, true);
  assert.equal([file?.narHash, file?.narSize], [hashBytes("sha256", nar), nar.length]);
  assert.is(readExportedFiles(object, "/other").files.length, 0);
});

test.run();

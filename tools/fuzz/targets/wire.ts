import { concatBytes, toBase64 } from "../../../core/base/index.ts";
import { narLength, narString } from "../../../core/store/index.ts";
import {
  formatDerivedPath,
  parseDerivedPath,
  readBasicDerivation,
  readBuildResult,
  readLogMessage,
  readPathInfo,
  readServePathInfo,
  WireReader,
  WireWriter,
  workerBuildResultParts,
  writeBasicDerivation,
  writeBuildResult,
  writeLogMessage,
  writePathInfo,
} from "../../../core/store/wire/index.ts";
import type { Random } from "../random.ts";
import { sampleInfo, sampleNar, sampleStorePath, sampleStorePaths, sampleText } from "../samples.ts";
import { expectSame, inPieces, later, type Target } from "../target.ts";

const MINOR = 37;
const PARTS = workerBuildResultParts(MINOR);
const PATH = sampleStorePath({ below: () => 0, pick: (items: readonly unknown[]) => items[0] } as unknown as Random);

/** What the first byte of an input stands for. */
const MESSAGES: readonly ((reader: WireReader) => Promise<((writer: WireWriter) => void) | undefined>)[] = [
  async (reader) => {
    const info = await readPathInfo(reader, PATH, MINOR);
    return (writer) => writePathInfo(writer, info, MINOR);
  },
  async (reader) => {
    const drv = await readBasicDerivation(reader);
    return (writer) => writeBasicDerivation(writer, drv);
  },
  async (reader) => {
    const result = await readBuildResult(reader, PARTS);
    return (writer) => writeBuildResult(writer, result, PARTS);
  },
  async (reader) => {
    const message = await readLogMessage(reader, MINOR);
    return message.kind === "error" ? undefined : (writer) => writeLogMessage(writer, message, MINOR);
  },
  async (reader) => {
    const wanted = parseDerivedPath(await reader.text());
    return (writer) => void writer.text(formatDerivedPath(wanted));
  },
  async (reader) => void (await readServePathInfo(reader, PATH)),
  async (reader) => void (await reader.paths()),
  async (reader) => {
    for await (const _ of reader.frames());
  },
  async (reader) => {
    for await (const _ of reader.nar());
  },
];

/** Messages of both store protocols: read, written, read again. */
export const wireTarget: Target = {
  async sample(random) {
    const kind = random.below(MESSAGES.length);
    return concatBytes([Uint8Array.of(kind), await bytesOf((writer) => writeSample(writer, kind, random))]);
  },
  words: [
    ...["", "/nix/store/", "Error", "out"].map(narString),
    ...[0, 1, 2, 0x616c7473, 0x63787470, 0x53545254].map(narLength),
  ],
  async check(input, random) {
    const kind = (input[0] ?? 0) % MESSAGES.length;
    const read = MESSAGES[kind] as (typeof MESSAGES)[number];
    const limit = { heldBytesLimit: 1024 * 1024 };
    const write = await read(new WireReader(later(inPieces(input.subarray(1), random)), limit));
    if (write === undefined) return;
    const written = await bytesOf(write);
    const again = await read(new WireReader(later([written]), limit));
    expectSame(
      toBase64(await bytesOf(again as typeof write)),
      toBase64(written),
      "a message written, read and written",
    );
  },
};

async function bytesOf(write: (writer: WireWriter) => void): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const writer = new WireWriter({ write: (bytes) => void parts.push(bytes) });
  write(writer);
  await writer.flush();
  return concatBytes(parts);
}

function writeSample(writer: WireWriter, kind: number, random: Random): void {
  const text = (): string => sampleText(random);
  switch (kind) {
    case 0:
      return writePathInfo(writer, sampleInfo(random), MINOR);
    case 1:
      return writeBasicDerivation(writer, {
        outputs: { out: { path: sampleStorePath(random), hashAlgorithm: "", hash: "" } },
        inputSources: sampleStorePaths(random),
        system: "x86_64-linux",
        builder: text(),
        args: [text(), text()],
        env: { [text()]: text(), out: text() },
      });
    case 2:
      return writeBuildResult(
        writer,
        {
          status: random.below(15),
          message: text(),
          timesBuilt: 1,
          isNonDeterministic: random.chance(2),
          startTime: 1,
          stopTime: 2,
          builtOutputs: { [text()]: text() },
          ...(random.chance(2) ? { cpuUserMicroseconds: 5 } : {}),
        },
        PARTS,
      );
    case 3:
      return writeLogMessage(writer, sampleMessage(random), MINOR);
    case 4:
      return void writer.text(`${sampleStorePath(random, "a.drv")}${random.pick(["", "!out", "!out,dev", "!*"])}`);
    case 6:
      return void writer.set(sampleStorePaths(random));
    case 7:
      return void writer.number(3).number(0x010203n).number(0);
    case 8:
      for (const byte of chunked(sampleNar(random))) writer.number(byte);
      return;
    default:
      return void writer
        .text("")
        .text("")
        .set([])
        .number(8)
        .number(8)
        .text(`sha256:${"0".repeat(52)}`)
        .text("")
        .set([]);
  }
}

/** An archive as numbers of 8 bytes; its size is a multiple of 8. */
function chunked(bytes: Uint8Array): bigint[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 8 }, (_, i) => view.getBigUint64(8 * i, true));
}

function sampleMessage(random: Random): Parameters<typeof writeLogMessage>[1] {
  const fields = [1n, "x", BigInt(random.below(99))];
  return random.pick([
    { kind: "line", text: sampleText(random) },
    { kind: "last" },
    { kind: "error", message: sampleText(random) },
    { kind: "start-activity", id: 1n, level: 3, type: 100, text: "x", fields, parent: 0n },
    { kind: "result", id: 1n, type: 101, fields },
    { kind: "write", data: random.bytes(5) },
  ] as const);
}

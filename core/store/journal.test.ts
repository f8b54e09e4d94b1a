import { crc32 } from "node:zlib";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, concatBytes, fromUtf8, hashBytes, sortedText, toBase32, utf8 } from "../base/index.ts";
import {
  formatJournalRecord,
  JOURNAL_MARK_BYTES,
  JournalReader,
  type JournalRecord,
  makeRealisationId,
  MAX_JOURNAL_LINE_BYTES,
  parseJournalLine,
  type StorePath,
} from "./index.ts";

const hasCode = (code: string) => (error: CodedError) => error.code === code;
const FOO = "/nix/store/vxjiwkjkn7x4079qvh1jkl5pn05j2aw0-foo" as StorePath;

const digest = fc.uint8Array({ minLength: 32, maxLength: 32 });
const path = fc
  .tuple(fc.uint8Array({ minLength: 20, maxLength: 20 }), fc.stringMatching(/^[0-9A-Za-z+._?=-]{1,40}$/))
  .map(([bytes, name]) => `/nix/store/${toBase32(bytes)}-${name}` as StorePath);
/** Any bytes, as text. */
const text = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => fromUtf8(bytes));
const record: fc.Arbitrary<JournalRecord> = fc.oneof(
  fc
    .record(
      {
        path,
        narHash: digest.map((bytes) => ({ algorithm: "sha256" as const, digest: bytes })),
        narSize: fc.maxSafeNat(),
        references: fc.array(path),
        registrationTime: fc.maxSafeNat(),
        ultimate: fc.boolean(),
        signatures: fc.array(text),
        deriver: path,
        ca: text,
      },
      { requiredKeys: ["path", "narHash", "narSize", "references", "signatures", "ultimate"], noNullPrototype: true },
    )
    .map((info) => ({ kind: "valid" as const, info })),
  path.map((one) => ({ kind: "invalid" as const, path: one })),
  fc
    .tuple(digest, path, fc.uniqueArray(text), fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), path))
    .map(([hash, outPath, signatures, dependents]) => ({
      kind: "realisation" as const,
      realisation: {
        id: makeRealisationId(hash, "out"),
        outPath,
        signatures: sortedText(signatures),
        dependentRealisations: new Map(
          sortedText(Object.keys(dependents)).map((output) => [
            makeRealisationId(hash, output),
            dependents[output] as StorePath,
          ]),
        ),
      },
    })),
  fc.constant({ kind: "header" as const, version: 1 }),
  fc
    .tuple(fc.maxSafeNat(), fc.maxSafeNat(), path, fc.maxSafeNat())
    .map(([coveredId, pendingId, pending, compactBytes]) => ({
      kind: "mark" as const,
      coveredId,
      pendingId,
      pendingDigest: pending.slice(11, 43),
      compactBytes,
    })),
);

const lineOf = (body: string): string => `${crc32(body).toString(16).padStart(8, "0")} ${body}`;

function readAll(reader: JournalReader, ...pieces: Uint8Array[]): JournalRecord[] {
  return pieces.flatMap((piece) => [...reader.push(piece)]);
}

test("every record comes back from its line, which is ASCII", () => {
  fc.assert(
    fc.property(record, (one) => {
      const line = formatJournalRecord(one);
      assert.match(line, /^[0-9a-f]{8} [!-~ ]+\n$/);
      assert.equal(parseJournalLine(line.slice(0, -1)), one);
      if (one.kind === "mark") assert.is(line.length, JOURNAL_MARK_BYTES);
    }),
  );
});

test("formatJournalRecord() is stable, with the checksum of gzip", () => {
  const info = { path: FOO, narHash: hashBytes("sha256", ""), narSize: 120, references: [FOO], signatures: ["k:a b%"] };
  const body = "+ vxjiwkjkn7x4079qvh1jkl5pn05j2aw0-foo 0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73";
  assert.is(
    formatJournalRecord({ kind: "valid", info }),
    `${lineOf(`${body} 120 - - - - 1 k:a%20b%25 vxjiwkjkn7x4079qvh1jkl5pn05j2aw0-foo`)}\n`,
  );
});

test("a line is accepted in its one form only", () => {
  fc.assert(
    fc.property(fc.string(), (line) => {
      try {
        assert.is(formatJournalRecord(parseJournalLine(line)), `${line}\n`);
      } catch (error) {
        assert.ok(hasCode("journal.malformed")(error as CodedError), String(error));
      }
    }),
  );
  const base = FOO.slice(11);
  for (const body of [
    "",
    "-",
    `- ${base} `,
    `- ${base} x`,
    "~ {}",
    `~ {"dependentRealisations":{},"outPath":"${base}","id":"sha256:${"0".repeat(64)}!out","signatures":[]}`,
    "- foo",
    "? x",
    `+ ${base}`,
    `= 1 2 ${"0".repeat(32)} 3`,
    `+ ${base} ${"0".repeat(52)} 01 - - - - 0`,
    `+ ${base} ${"0".repeat(52)} 1 - - - - 1`,
    `+ ${base} ${"0".repeat(52)} 1 - - - - 1 %zz`,
    `+ ${base} ${"0".repeat(52)} 9007199254740993 - - - - 0`,
  ])
    assert.throws(() => parseJournalLine(lineOf(body)), hasCode("journal.malformed"), body);
  assert.throws(() => parseJournalLine(lineOf("! floe-journal 2")), hasCode("journal.unsupported"));
});

test("JournalReader reads in pieces of any size", () => {
  fc.assert(
    fc.property(fc.array(record), fc.array(fc.nat(300)), (records, cuts) => {
      const bytes = concatBytes(records.map((one) => utf8(formatJournalRecord(one))));
      const pieces: Uint8Array[] = [];
      let rest = bytes;
      for (const cut of cuts) {
        pieces.push(rest.subarray(0, cut));
        rest = rest.subarray(cut);
      }
      const reader = new JournalReader();
      assert.equal(readAll(reader, ...pieces, rest), records);
      assert.equal([reader.damage, reader.tornBytes, reader.goodBytes], [[], 0, bytes.length]);
    }),
  );
});

test("a torn end is cut, and damage costs the lines it touches", () => {
  fc.assert(
    fc.property(fc.array(record, { minLength: 3, maxLength: 8 }), fc.nat(), fc.nat(), (records, where, bit) => {
      const lines = records.map((one) => utf8(formatJournalRecord(one)));
      const bytes = concatBytes(lines);
      const torn = new JournalReader();
      const cut = where % bytes.length;
      const found = readAll(torn, bytes.subarray(0, cut));
      assert.equal(found, records.slice(0, found.length));
      assert.equal([torn.damage, torn.goodBytes + torn.tornBytes], [[], cut]);
      const damaged = Uint8Array.from(bytes);
      damaged[cut] = (damaged[cut] as number) ^ (1 << (bit % 8));
      const reader = new JournalReader();
      const left = readAll(reader, damaged);
      // One flipped bit: at most two lines, when the break between them is gone.
      assert.ok(left.length >= records.length - 2);
      const known = new Set(records.map(formatJournalRecord));
      for (const one of left) assert.ok(known.has(formatJournalRecord(one)));
      const lost = reader.damage.reduce((sum, { sizeBytes }) => sum + sizeBytes, reader.tornBytes);
      assert.ok(lost > 0);
    }),
  );
});

test("a line without an end takes no memory and is passed over", () => {
  const reader = new JournalReader();
  const filler = new Uint8Array(1024 * 1024).fill(0x61);
  for (let size = 0; size <= MAX_JOURNAL_LINE_BYTES; size += filler.length) readAll(reader, filler);
  const mark = formatJournalRecord({ kind: "invalid", path: FOO });
  assert.equal(readAll(reader, utf8(`\n${mark}`)), [{ kind: "invalid", path: FOO }]);
  assert.equal(reader.damage, [{ offset: 0, sizeBytes: MAX_JOURNAL_LINE_BYTES + filler.length + 1 }]);
});

test.run();

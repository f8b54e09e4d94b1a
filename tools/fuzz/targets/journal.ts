import { crc32 } from "node:zlib";
import { CodedError, fromUtf8, utf8 } from "../../../core/base/index.ts";
import { formatJournalRecord, JournalReader, type JournalRecord, parseJournalLine } from "../../../core/store/index.ts";
import type { Random } from "../random.ts";
import { sampleInfo, sampleStorePath, words } from "../samples.ts";
import { expect, expectSame, inPieces, type Target } from "../target.ts";

/** The journal beside the database: read around damage, and each record written again. */
export const journalTarget: Target = {
  sample: (random) =>
    utf8(Array.from({ length: 1 + random.size(4) }, () => formatJournalRecord(sampleRecord(random))).join("")),
  words: words(" ", "\n", " - ", " + ", "%00", "%zz", "! floe-journal 2", "= ", "9007199254740993", "-1", "u"),
  check(input, random) {
    const reader = new JournalReader();
    const records: JournalRecord[] = [];
    for (const piece of inPieces(input, random)) records.push(...reader.push(piece));
    const damaged = reader.damage.reduce((sum, each) => sum + each.sizeBytes, 0);
    const good = records.reduce((sum, record) => sum + utf8(formatJournalRecord(record)).length, 0);
    expect(
      good + damaged + reader.tornBytes === input.length,
      "records, damage and the unfinished line are not all there is",
    );
    // What damage made of a line would be refused for its checksum alone: with the right one, its fields have to stand for themselves.
    for (const line of fromUtf8(input).split("\n")) checkFields(line.slice(9));
  },
};

function checkFields(body: string): void {
  const line = `${crc32(utf8(body)).toString(16).padStart(8, "0")} ${body}`;
  let record: JournalRecord;
  try {
    record = parseJournalLine(line);
  } catch (error) {
    if (error instanceof CodedError) return;
    throw error;
  }
  expectSame(formatJournalRecord(record), `${line}\n`, "a line of the journal has one form");
}

function sampleRecord(random: Random): JournalRecord {
  switch (random.below(4)) {
    case 0:
      return { kind: "header", version: 1 };
    case 1:
      return { kind: "invalid", path: sampleStorePath(random) };
    case 2:
      return {
        kind: "mark",
        coveredId: random.below(99),
        pendingId: random.below(99),
        pendingDigest: "0".repeat(32),
        compactBytes: random.below(2 ** 31),
      };
    default:
      return { kind: "valid", info: { ...sampleInfo(random), ultimate: random.chance(2) } };
  }
}

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../core/base/index.ts";
import { readWriteLog } from "./write-log.ts";

const folder = mkdtempSync(join(tmpdir(), "floe-write-log-"));
test.after(() => rmSync(folder, { recursive: true }));

function log(...entries: readonly (readonly [sector: number, sectors: number, flags: number])[]): string {
  const head = Buffer.alloc(512);
  // Linux, drivers/md/dm-log-writes.c: WRITE_LOG_MAGIC, WRITE_LOG_VERSION; entries, sector size.
  head.writeBigUInt64LE(0x6a736677736872n, 0);
  head.writeBigUInt64LE(1n, 8);
  head.writeUInt32LE(512, 24);
  const parts = entries.flatMap(([sector, sectors, flags]) => {
    const entry = Buffer.alloc(512);
    for (const [index, value] of [sector, sectors, flags].entries()) entry.writeBigUInt64LE(BigInt(value), index * 8);
    return [entry, Buffer.alloc((flags & 4) === 0 ? sectors * 512 : 0, 1)];
  });
  const file = join(folder, "log");
  writeFileSync(file, Buffer.concat([head, ...parts]));
  return file;
}

test("readWriteLog() reads writes, flushes and discards in their order", () => {
  const plain = { flush: false, durable: false, discard: false };
  assert.equal(readWriteLog(log([8, 2, 0], [0, 0, 1], [16, 1, 2], [32, 4, 4], [1, 1, 3])), [
    { ...plain, offset: 4096, sizeBytes: 1024, logOffset: 1024 },
    { ...plain, offset: 0, sizeBytes: 0, logOffset: 2560, flush: true },
    { ...plain, offset: 8192, sizeBytes: 512, logOffset: 3072, durable: true },
    { ...plain, offset: 16384, sizeBytes: 2048, logOffset: 4096, discard: true },
    { ...plain, offset: 512, sizeBytes: 512, logOffset: 4608, flush: true, durable: true },
  ]);
});

test("readWriteLog() ends where the machine was cut off, and refuses what is no log", () => {
  const file = log([8, 2, 0], [16, 1, 0]);
  const whole = readWriteLog(file);
  writeFileSync(file, Buffer.alloc(300), { flag: "a" });
  assert.equal(readWriteLog(file), whole);
  writeFileSync(file, "x".repeat(2000));
  assert.throws(
    () => readWriteLog(file),
    (error: CodedError) => error.code === "write-log.malformed",
  );
});

test.run();

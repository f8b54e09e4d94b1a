import { PassThrough } from "node:stream";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readBytes, writeBytes } from "./index.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("readBytes() gives all bytes and ends with the stream", async () => {
  const stream = new PassThrough();
  const source = readBytes(stream);
  stream.write("one");
  stream.end("two");
  const parts: string[] = [];
  for await (const piece of source) parts.push(Buffer.from(piece).toString());
  assert.is(parts.join(""), "onetwo");
  assert.ok(source.ended.aborted);
});

test("readBytes() notices the end while nobody reads", async () => {
  const stream = new PassThrough();
  const source = readBytes(stream);
  stream.end("unread");
  await turn();
  await turn();
  assert.ok(source.ended.aborted);
  const { value } = await source[Symbol.asyncIterator]().next();
  assert.is(Buffer.from(value as Uint8Array).toString(), "unread");
});

test("readBytes() reads only so far ahead", async () => {
  const stream = new PassThrough({ highWaterMark: 1024 });
  const source = readBytes(stream);
  let written = 0;
  for (; written < 100; written++) {
    if (!stream.write(Buffer.alloc(100_000))) await turn();
    if (stream.writableNeedDrain) break;
  }
  assert.ok(written < 20, `${written} pieces went in`);
  let found = 0;
  stream.end();
  for await (const piece of source) found += piece.length;
  assert.is(found, (written + 1) * 100_000);
});

test("writeBytes() waits for a slow reader, and fails when it is gone", async () => {
  const stream = new PassThrough({ highWaterMark: 10 });
  const output = writeBytes(stream);
  let done = false;
  const writing = output.write(Buffer.alloc(100)).then(() => {
    done = true;
  });
  await turn();
  assert.is(done, false);
  stream.resume();
  await writing;
  stream.destroy(new Error("gone"));
  await turn();
  try {
    await output.write(Buffer.alloc(1));
    assert.unreachable("expected an error");
  } catch (error) {
    assert.is((error as Error).message, "gone");
  }
});

test.run();

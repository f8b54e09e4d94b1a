import { test } from "uvu";
import * as assert from "uvu/assert";
import { encodeFrame, encodeList, type Frame, FrameReader, SYNC } from "./agent-protocol.ts";

const show = (frames: readonly Frame[]): unknown[] =>
  frames.map(({ type, stream, payload }) => [type, stream, payload.toString()]);

test("encodeFrame() writes length, type, stream and payload, little endian", () => {
  assert.equal([...encodeFrame(0x21, 0x0102, Buffer.from("hi"))], [7, 0, 0, 0, 0x21, 2, 1, 0, 0, 0x68, 0x69]);
});

test("encodeList() counts its texts and ends each with NUL", () => {
  assert.equal([...encodeList(["a", ""])], [2, 0, 0, 0, 0x61, 0, 0]);
});

test("FrameReader drops what comes before the mark, whatever the pieces", () => {
  const bytes = Buffer.concat([
    Buffer.from("left over from before"),
    SYNC,
    encodeFrame(1, 2, Buffer.from("x")),
    encodeFrame(3, 4),
  ]);
  for (const size of [1, 2, 3, 7, 16, 1000]) {
    const reader = new FrameReader();
    const frames: Frame[] = [];
    for (let at = 0; at < bytes.length; at += size) frames.push(...reader.push(bytes.subarray(at, at + size)));
    assert.equal(show(frames), [
      [1, 2, "x"],
      [3, 4, ""],
    ]);
  }
});

test("FrameReader finds its place again after a frame was cut off", () => {
  const reader = new FrameReader();
  assert.equal(show(reader.push(Buffer.concat([SYNC, encodeFrame(1, 1)]))), [[1, 1, ""]]);
  const impossible = Buffer.from([0xff, 0xff, 0xff, 0x7f, 9, 9]);
  assert.equal(show(reader.push(impossible)), []);
  assert.equal(show(reader.push(Buffer.concat([SYNC, encodeFrame(2, 1)]))), [[2, 1, ""]]);
});

test("FrameReader takes a mark between frames as nothing", () => {
  const reader = new FrameReader();
  assert.equal(show(reader.push(Buffer.concat([SYNC, encodeFrame(1, 1), SYNC, encodeFrame(2, 2)]))), [
    [1, 1, ""],
    [2, 2, ""],
  ]);
});

test.run();

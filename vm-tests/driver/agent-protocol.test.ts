import { test } from "uvu";
import * as assert from "uvu/assert";
import fc from "fast-check";
import { encodeFrame, encodeList, type Frame, FrameReader, MAX_FRAME_BYTES, SYNC } from "./agent-protocol.ts";

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

const bytes = fc.uint8Array({ maxLength: 300 }).map((data) => Buffer.from(data));
const frame = fc.record({
  type: fc.integer({ min: 0, max: 255 }),
  stream: fc.integer({ min: 0, max: 0xffffffff }),
  payload: bytes,
});
const exact = (frames: readonly Frame[]): unknown[] =>
  frames.map(({ type, stream, payload }) => [type, stream, payload.toString("hex")]);

/** Give the bytes in pieces of these sizes, again and again. */
function read(data: Buffer, sizes: readonly number[]): Frame[] {
  const reader = new FrameReader();
  const frames: Frame[] = [];
  for (let at = 0, turn = 0; at < data.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    frames.push(...reader.push(data.subarray(at, at + size)));
    at += size;
  }
  return frames;
}

const sizes = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 5 });

test("FrameReader gives what encodeFrame() wrote, however the bytes are cut, with marks anywhere between", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(frame, fc.boolean())), sizes, (frames, sizes) => {
      const data = frames.flatMap(([each, marked]) => [
        ...(marked ? [SYNC] : []),
        encodeFrame(each.type, each.stream, each.payload),
      ]);
      assert.equal(exact(read(Buffer.concat([SYNC, ...data]), sizes)), exact(frames.map(([each]) => each)));
    }),
  );
});

test("FrameReader never throws at garbage, and reads on after the next mark", () => {
  fc.assert(
    fc.property(bytes, frame, bytes, sizes, (before, first, between, sizes) => {
      const { type, stream, payload } = first;
      // Cut off in its middle, as by a restore: what follows may be taken for the rest of it, until a mark comes after it.
      const cut = encodeFrame(type, stream, payload).subarray(0, 6);
      const tail = Buffer.alloc(MAX_FRAME_BYTES + 8);
      const found = read(Buffer.concat([before, SYNC, cut, between, tail, SYNC, encodeFrame(type, stream, payload)]), [
        ...sizes,
        1 << 20,
      ]);
      assert.equal(exact(found.slice(-1)), exact([first]));
    }),
    { numRuns: 30 },
  );
});

test.run();

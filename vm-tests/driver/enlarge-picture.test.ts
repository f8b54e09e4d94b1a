import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { enlargePicture } from "./enlarge-picture.ts";

const pixmap = (width: number, height: number, points: readonly number[]): Buffer =>
  Buffer.concat([Buffer.from(`P6\n${width} ${height}\n255\n`), Buffer.from(points)]);

test("enlargePicture() makes what is light on dark dark on light, and smooth between", () => {
  const white = [255, 255, 255];
  const black = [0, 0, 0];
  const enlarged = enlargePicture(pixmap(3, 1, [...black, ...white, ...black]), 2);
  assert.is(enlarged.toString("latin1", 0, 11), "P5\n6 2\n255\n");
  const row = [255, 191, 63, 63, 191, 255];
  assert.equal([...enlarged.subarray(11)], [...row, ...row]);
  const light = enlargePicture(pixmap(3, 1, [...white, ...black, ...white]), 1);
  assert.equal([...light.subarray(11)], [255, 0, 255]);
});

test("enlargePicture() keeps a picture of one colour one, whatever its size", () => {
  const sizes = fc.record({
    width: fc.integer({ min: 1, max: 9 }),
    height: fc.integer({ min: 1, max: 9 }),
    times: fc.integer({ min: 1, max: 4 }),
    grey: fc.integer({ min: 0, max: 255 }),
  });
  fc.assert(
    fc.property(sizes, ({ width, height, times, grey }) => {
      const points = enlargePicture(pixmap(width, height, Array(3 * width * height).fill(grey)), times);
      const header = `P5\n${width * times} ${height * times}\n255\n`;
      assert.is(points.toString("latin1", 0, header.length), header);
      assert.is(points.length, header.length + width * height * times * times);
      assert.is(new Set(points.subarray(header.length)).size, 1);
    }),
  );
});

test("enlargePicture() takes nothing but whole pixmaps", () => {
  for (const bad of ["", "P6\n", "P5\n1 1\n255\nA", "P6\n1 1\n255\nAB", "P6\n1 1\n65535\nABCDEF", "P6\n0 0\n255\n"])
    assert.throws(() => enlargePicture(Buffer.from(bad), 2), /expected a raw portable pixmap/);
});

test.run();

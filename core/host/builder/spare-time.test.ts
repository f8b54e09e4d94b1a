import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SpareTime } from "./spare-time.ts";

const test = suite("SpareTime");

test("use() does what waits, in order, and tells how it went", async () => {
  const time = new SpareTime();
  const done: string[] = [];
  const first = time.add(() => void done.push("first"));
  const second = time.add(async () => {
    done.push("second");
    throw new Error("no");
  });
  await Promise.resolve();
  assert.equal(done, []);
  time.use();
  await first;
  assert.is(await second.catch((error: Error) => error.message), "no");
  assert.equal(done, ["first", "second"]);
});

test("add() does not wait for a builder that never comes", async () => {
  await new SpareTime().add(() => {});
});

test.run();

import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Admission, needsOf, runAdmitted, type TestNeeds } from "./admission.ts";

test("needsOf() counts guests, their QEMUs and the driver", () => {
  assert.equal(needsOf({}), { memoryMiB: 192 });
  assert.equal(needsOf({ a: { memoryMiB: 1024 }, b: { memoryMiB: 512 } }), { memoryMiB: 1024 + 512 + 256 + 192 });
});

test("runAdmitted() keeps to jobs and memory, begins in order, does everything, and runs what is too large alone", async () => {
  const needs = fc.array(fc.integer({ min: 0, max: 120 }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(needs, fc.integer({ min: 1, max: 4 }), fc.scheduler(), async (sizes, jobs, scheduler) => {
      const running = new Set<number>();
      const begun: number[] = [];
      const work = async (index: number): Promise<number> => {
        begun.push(index);
        running.add(index);
        const memory = [...running].reduce((sum, each) => sum + (sizes[each] ?? 0), 0);
        assert.ok(running.size <= jobs);
        assert.ok(memory <= 100 || running.size === 1, `${memory} of 100`);
        await scheduler.schedule(Promise.resolve());
        running.delete(index);
        return index * 2;
      };
      const items = sizes.map((_, index) => index);
      const need = (index: number): TestNeeds => ({ memoryMiB: sizes[index] ?? 0 });
      const all = runAdmitted(items, need, new Admission({ jobs, memoryMiB: 100 }), work);
      const results = await scheduler.waitFor(all);
      assert.equal(
        results,
        items.map((index) => index * 2),
      );
      assert.equal(begun, items);
    }),
  );
});

test("runAdmitted() begins nothing after a failure, waits for what runs, and raises it", async () => {
  const ended: string[] = [];
  const work = async (item: string): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, item === "bad" ? 1 : 20));
    ended.push(item);
    if (item === "bad") throw new Error("no");
  };
  const limits = new Admission({ jobs: 2, memoryMiB: 1000 });
  const failure = await runAdmitted(["slow", "bad", "never"], () => needsOf({}), limits, work).catch((error) => error);
  assert.is(failure.message, "no");
  assert.equal(ended, ["bad", "slow"]);
});

test.run();

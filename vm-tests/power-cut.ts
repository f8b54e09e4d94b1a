import { vmTest } from "#floe/vm-test";
import { assertWhole, serving } from "./generations.ts";

/** Futures of one switch, each cut at another instant of it. */
const FUTURES = 20;

export default vmTest({
  name: "power-cut",
  description: "Wherever a switch loses power, the machine boots the generation before or after it, whole.",
  platforms: ["x86_64-linux"],
  machines: {
    machine: { config: serving("one"), generations: { two: serving("two") } },
  },
  async script({ machine, step, assert, note }) {
    const two = machine.systems["two"] ?? "";
    const generations = [
      { runs: "base", defaultGeneration: 1, page: "one" },
      { runs: "two", defaultGeneration: 2, page: "two" },
    ] as const;
    await step("generation 1 runs", async () => {
      await machine.start();
      await assertWhole({ machine, assert, ...generations[0] });
    });
    const before = await machine.checkpoint();
    const seconds = await step("a future switches to its end, and loses power then", async () => {
      const [future = machine] = await before.fork();
      const { durationMs } = await future.switchTo("two");
      await future.crash();
      assert.deepEqual(await future.rootAfterPowerCut(), { generation: 2, system: two });
      await future.start();
      await assertWhole({ machine: future, assert, ...generations[1] });
      await future.crash();
      return durationMs / 1000;
    });
    // The last future that stays with generation 1, and the first that has generation 2.
    const boundary: (typeof machine | undefined)[] = [undefined, undefined];
    await step(`${FUTURES} futures lose power on their way`, async () => {
      for (let number = 0; number < FUTURES; number++) {
        const [future = machine] = await before.fork();
        future.spawn`floe system switch --store-path ${two}`;
        await future.execute`sleep ${((number * seconds) / FUTURES).toFixed(2)}`;
        await future.crash();
        const { generation, system } = await future.rootAfterPowerCut();
        const expected = generation === 1 ? machine.systems.base : two;
        assert.equal(system, expected, `future ${number + 1} has a profile that is neither system`);
        if (generation === 1) boundary[0] = future;
        else boundary[1] ??= future;
      }
    });
    note(
      `a switch takes ${seconds.toFixed(1)} s; ${boundary[1] === undefined ? "none" : "some"} of the futures had switched`,
    );
    for (const [index, future] of boundary.entries()) {
      if (future === undefined) continue;
      await step(`the future nearest to the change boots generation ${index + 1}`, async () => {
        await future.start();
        await assertWhole({ machine: future, assert, ...(generations[index] as (typeof generations)[number]) });
        await future.crash();
      });
    }
  },
});

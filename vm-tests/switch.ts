import { vmTest } from "#floe/vm-test";
import { assertWhole, serving } from "./generations.ts";

const failing = {
  wantedBy: ["multi-user.target"],
  serviceConfig: { Type: "oneshot", ExecStart: "/bin/sh -c 'exit 3'" },
};

export default vmTest({
  name: "switch",
  description: "Every verb of floe system changes what it says, and nothing else.",
  platforms: ["x86_64-linux", "aarch64-linux"],
  machines: {
    machine: {
      config: serving("one"),
      generations: {
        two: serving("two"),
        limping: { ...serving("two"), systemd: { services: { failing } } },
      },
    },
  },
  async script({ machine, step, assert }) {
    const two = machine.systems["two"] ?? "";
    const one = { machine, assert, runs: "base", defaultGeneration: 1, page: "one" };
    await step("generation 1 boots", async () => {
      await machine.start();
      await assertWhole(one);
    });
    await step("dry-activate tells what would happen, and changes nothing", async () => {
      const told = await machine.execute`floe system dry-activate --store-path ${two}`;
      assert.equal(told.status, 0);
      assert.match(told.stdout + told.stderr, /nginx\.service/);
      await assertWhole(one);
    });
    await step("a second switch at the same time is refused", async () => {
      const held = machine.spawn`flock /run/floe/switch.lock -c 'touch /run/held; sleep infinity'`;
      await machine.waitForFile("/run/held");
      const refused = await machine.switchTo("two", { expect: "failure" });
      assert.match(refused.stderr, /another switch holds/);
      held.kill();
      await held.result;
      await assertWhole(one);
    });
    await step("test changes the running system and leaves the default", async () => {
      await machine.switchTo("two", { mode: "test" });
      await assertWhole({ ...one, runs: "two", page: "two" });
      await machine.reboot();
      await assertWhole(one);
    });
    await step("boot changes the default and leaves the running system", async () => {
      await machine.switchTo("two", { mode: "boot" });
      await assertWhole({ ...one, defaultGeneration: 2 });
      await machine.reboot();
      await assertWhole({ ...one, runs: "two", defaultGeneration: 2, page: "two" });
    });
    await step("a unit that fails to start is told by exit status 4, and the switch stands", async () => {
      const result = await machine.switchTo("limping", { expect: "failure" });
      assert.equal(result.status, 4);
      assert.match(result.stdout + result.stderr, /failing\.service/);
      assert.deepEqual(await machine.failedUnits(), ["failing.service"]);
      assert.equal(await machine.defaultGeneration(), 3);
    });
    await step("list-generations lists all three", async () => {
      const listed = JSON.parse(await machine.succeed`floe system list-generations --json`);
      assert.deepEqual(
        listed.map(({ generation, current }: { generation: number; current: boolean }) => [generation, current]),
        [
          [1, false],
          [2, false],
          [3, true],
        ],
      );
    });
  },
});

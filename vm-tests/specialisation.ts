import { force } from "#floe/module";
import { vmTest } from "#floe/vm-test";
import { serving } from "./generations.ts";

export default vmTest({
  name: "specialisation",
  description: "A variant of a system runs without a reboot, and the system itself again, which is what boots.",
  platforms: ["x86_64-linux", "aarch64-linux"],
  machines: {
    machine: {
      config: {
        ...serving("one"),
        specialisation: {
          calm: {
            configuration: {
              services: { nginx: { enable: force(false) } },
              systemd: { services: { night: { wantedBy: ["multi-user.target"], script: "exec sleep infinity" } } },
              users: { users: { watchman: { isNormalUser: true } } },
            },
          },
        },
      },
    },
  },
  async script({ machine, step, assert }) {
    const whole = machine.systems["base"] ?? "";
    const running = async (): Promise<string> => (await machine.succeed`readlink -f /run/current-system`).trim();
    const assertWhole = async (): Promise<void> => {
      await machine.within(120).waitForUnit("multi-user.target");
      await machine.waitForUnit("nginx.service");
      await machine.waitForPort(80);
      assert.equal((await machine.fetch("http://127.0.0.1/")).body, "one\n");
      assert.equal((await machine.systemctl("is-active", "night.service")).stdout.trim(), "inactive");
      await machine.fail`id watchman`;
      assert.equal(await running(), whole);
      assert.deepEqual(await machine.failedUnits(), []);
    };
    const assertCalm = async (): Promise<void> => {
      await machine.waitForUnit("night.service");
      await machine.waitForClosedPort(80);
      assert.equal((await machine.systemctl("is-active", "nginx.service")).stdout.trim(), "inactive");
      await machine.succeed`id watchman`;
      assert.equal(await running(), (await machine.succeed`readlink -f ${whole}/specialisation/calm`).trim());
      assert.equal(await machine.defaultGeneration(), 1);
      assert.deepEqual(await machine.failedUnits(), []);
    };
    await step("the system itself boots", async () => {
      await machine.start();
      await assertWhole();
    });
    const bootId = await machine.bootId();
    await step("a variant that there is not is refused, and nothing changes", async () => {
      const refused = await machine.switchTo("base", { specialisation: "clam", expect: "failure" });
      assert.match(refused.stderr, /Did you mean "calm"\?/);
      await assertWhole();
    });
    await step("a switch to the variant stops what it has not, and starts what it has", async () => {
      await machine.switchTo("base", { specialisation: "calm" });
      await assertCalm();
    });
    await step("each has an entry in the boot menu, and what boots is the system itself", async () => {
      const entries = await machine.succeed`cd /boot/loader/entries; grep -o ' init=[^ ]*' *`;
      const [first = "", second = "", ...more] = entries.trimEnd().split("\n");
      const calm = await running();
      assert.equal(first, `floe-generation-1-specialisation-calm.conf: init=${calm}/init`);
      assert.equal(second, `floe-generation-1.conf: init=${whole}/init`);
      assert.deepEqual(more, []);
      assert.match(await machine.readFile("/boot/loader/loader.conf"), /^default floe-generation-1\.conf$/m);
    });
    await step("a switch back to the system gives it back, without a reboot", async () => {
      await machine.switchTo("base");
      await assertWhole();
      assert.equal(await machine.bootId(), bootId);
    });
    await step("a variant that is tried lasts until the next boot", async () => {
      await machine.switchTo("base", { mode: "test", specialisation: "calm" });
      await assertCalm();
      await machine.reboot();
      await assertWhole();
    });
  },
});

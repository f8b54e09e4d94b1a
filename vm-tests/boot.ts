import { vmTest } from "#floe/vm-test";

export default vmTest({
  name: "boot",
  boot: "cold",
  description:
    "A machine with nothing special reaches multi-user.target, with every unit well and no /lib or /usr/lib.",
  platforms: ["x86_64-linux", "aarch64-linux"],
  machines: { machine: { config: {} } },
  async script({ machine, step, assert }) {
    await step("the machine boots", () => machine.start());
    await step("multi-user.target is reached", () => machine.within(120).waitForUnit("multi-user.target"));
    await step("no unit has failed, and systemd calls the machine running", async () => {
      const state = await machine.execute`systemctl is-system-running --wait`;
      assert.deepEqual(await machine.failedUnits(), []);
      assert.equal(state.stdout.trim(), "running");
    });
    await step("nothing lies in /lib or /usr/lib", async () => {
      await machine.succeed`test ! -e /lib && test ! -e /lib64 && test ! -e /usr/lib`;
      assert.equal(await machine.succeed`ls /bin /usr/bin`, "/bin:\nsh\n\n/usr/bin:\nenv\n");
    });
    await step("the running system is generation 1", async () => {
      assert.equal(await machine.defaultGeneration(), 1);
      assert.equal((await machine.succeed`readlink -f /run/booted-system`).trim(), machine.systems.base);
      assert.equal((await machine.succeed`readlink -f /run/current-system`).trim(), machine.systems.base);
    });
    await step("the machine powers off", () => machine.shutdown());
  },
});

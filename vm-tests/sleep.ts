import { vmTest } from "#floe/vm-test";

/** How often the machine is put to sleep. */
const NIGHTS = 2;

export default vmTest({
  name: "sleep",
  description: "A machine sleeps, does nothing meanwhile, and wakes up as what it was.",
  platforms: ["x86_64-linux", "aarch64-linux"],
  machines: {
    machine: { firmware: "uefi", config: {} },
  },
  async script({ machine, step, assert }) {
    await step("the machine boots", async () => {
      await machine.start();
      await machine.within(120).waitForUnit("multi-user.target");
    });
    const bootId = await machine.bootId();
    const counter = machine.spawn`n=0; while :; do n=$((n + 1)); echo $n > /run/count; sleep 0.1; done`;
    await machine.waitForFile("/run/count");

    for (let night = 1; night <= NIGHTS; night++) {
      await step(`it sleeps, and wakes up (${night})`, async () => {
        await machine.suspend();
        await machine.wake();
        assert.equal(await machine.bootId(), bootId, "it has booted anew");
        const before = await machine.readFile("/run/count");
        await machine.waitUntilSucceeds`[ "$(cat /run/count)" -gt ${before.trim()} ]`;
        assert.deepEqual(await machine.failedUnits(), []);
        const off = (await machine.clock()).getTime() - Date.now();
        assert.ok(Math.abs(off) < 60_000, `the clock is off by ${off} ms`);
      });
    }
    await step("its disks and its kernel are well", async () => {
      await machine.succeed`echo kept > /root/kept; sync; sha256sum /run/current-system/kernel`;
      const sleeps = machine.consoleText().match(/PM: suspend entry/g) ?? [];
      assert.equal(sleeps.length, NIGHTS);
    });
    counter.kill();
    await counter.result;
    await step("who is awake is not woken", async () => {
      const code = await machine.wake().catch((error) => error.code);
      assert.equal(code, "machine.not-asleep");
    });
    await step("it powers off", () => machine.shutdown());
  },
});

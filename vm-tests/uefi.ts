import { vmTest } from "#floe/vm-test";

export default vmTest({
  name: "uefi",
  boot: "cold",
  description:
    "UEFI starts the kernel, which finds the machine by its tables and has its clock; the system is the same.",
  platforms: ["x86_64-linux", "aarch64-linux"],
  machines: { machine: { firmware: "uefi", config: {} } },
  async script({ machine, step, assert }) {
    const well = async (): Promise<void> => {
      await machine.within(120).waitForUnit("multi-user.target");
      const state = await machine.execute`systemctl is-system-running --wait`;
      assert.deepEqual(await machine.failedUnits(), []);
      assert.equal(state.stdout.trim(), "running");
    };
    await step("the machine boots", async () => {
      await machine.start();
      await well();
    });
    await step("UEFI has started it, with tables of ACPI", async () => {
      await machine.succeed`test -e /sys/firmware/acpi/tables/FACP && test -d /sys/firmware/efi/efivars`;
      assert.match(machine.consoleText(), /efi: EFI v2\.\d+ by EDK II/i);
    });
    await step("its clock is right", async () => {
      const off = (await machine.clock()).getTime() - Date.now();
      assert.ok(Math.abs(off) < 60_000, `the clock is off by ${off} ms`);
    });
    await step("it reboots, and powers off", async () => {
      const first = await machine.bootId();
      await machine.reboot();
      assert.notEqual(await machine.bootId(), first);
      await well();
      await machine.shutdown();
    });
  },
});

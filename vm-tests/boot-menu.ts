import { vmTest } from "#floe/vm-test";

export default vmTest({
  name: "boot-menu",
  boot: "cold",
  description:
    "A machine starts itself from its disk, by way of a menu of its generations that is kept up to date and takes keys.",
  platforms: ["x86_64-linux", "aarch64-linux"],
  machines: {
    machine: {
      bootMenu: true,
      // It spends most of its time in firmware, which uses one.
      cpus: 1,
      config: {},
      generations: {
        two: { environment: { etc: { "generation-two": { text: "two\n" } } } },
        three: { environment: { etc: { "generation-three": { text: "three\n" } } } },
      },
    },
  },
  async script({ machine, step, assert }) {
    /** Show that the machine runs that system, and that its own words and its kernel's agree. */
    const runs = async (name: "base" | "two" | "three"): Promise<void> => {
      await machine.within(120).waitForUnit("multi-user.target");
      const system = machine.systems[name] ?? "";
      assert.equal((await machine.succeed`readlink -f /run/current-system`).trim(), system);
      assert.match(await machine.readFile("/proc/cmdline"), new RegExp(`init=${system}/init`));
      assert.deepEqual(await machine.failedUnits(), []);
    };
    /** Show which entry starts when nobody chooses. */
    const isDefault = async (generation: number): Promise<void> =>
      assert.match(
        await machine.readFile("/boot/loader/loader.conf"),
        new RegExp(`^default floe-generation-${generation}\\.conf$`, "m"),
      );
    await step("it starts by itself, from a partition that is /boot", async () => {
      await machine.start();
      await runs("base");
      assert.equal((await machine.succeed`findmnt -no FSTYPE /boot`).trim(), "vfat");
    });
    await step("a switch makes an entry for a new generation, which is the default then", async () => {
      await machine.switchTo("two");
      const entries = (await machine.succeed`ls /boot/loader/entries`).trim().split("\n");
      assert.deepEqual(entries, ["floe-generation-1.conf", "floe-generation-2.conf"]);
      await isDefault(2);
    });
    await step("the older generation is chosen by key, and is no default by that", async () => {
      await machine.bootGeneration(1);
      await runs("base");
      await isDefault(2);
      assert.equal(await machine.defaultGeneration(), 2);
    });
    await step("a switch makes a third entry, and all are whole", async () => {
      await machine.switchTo("three");
      await isDefault(3);
      const lines = async (command: Promise<string>): Promise<string[]> => (await command).trim().split("\n");
      const needed = await lines(machine.succeed`cat /boot/loader/entries/*.conf`);
      const files = needed.flatMap((line) => /^(?:linux|initrd) \/(\S+)$/.exec(line)?.[1] ?? []);
      const there = await lines(machine.succeed`cd /boot; ls EFI/floe/*`);
      assert.deepEqual(there, [...new Set(files)].sort(), "kernels are missing, or lie there for nobody");
      const programs = await lines(
        machine.succeed`cd /boot/EFI; sha256sum < BOOT/BOOT*.EFI; sha256sum < systemd/*.efi`,
      );
      assert.equal(programs[0], programs[1]);
      assert.equal(await machine.succeed`find /boot -name '*.new'`, "", "something was left half-written");
    });
    await step("a power cut after the switch leaves a machine that starts the new default", async () => {
      await machine.crash();
      await machine.start();
      await runs("three");
    });
    await step("a rollback makes the older entry the default", async () => {
      await machine.rollback();
      await isDefault(2);
    });
    await step("what the menu does not show cannot be chosen", async () => {
      await machine.shutdown();
      const code = await machine.start({ entry: "Generation 9:" }).catch((error) => error.code);
      assert.equal(code, "boot.no-entry");
      await machine.crash();
    });
  },
});

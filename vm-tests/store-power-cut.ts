import { defineModule } from "#floe/module";
import { vmTest } from "#floe/vm-test";

/** Seconds of work on the store; a machine that is emulated does some ten things in each. */
const WORK_SECONDS = 25;
const CUTS = 40;

export default vmTest({
  name: "store-power-cut",
  description: "Wherever the power is cut, the store is whole and has all that was told as done.",
  machines: {
    machine: {
      config: {},
      modules: [
        defineModule({ key: "store-work" }, ({ pkgs, define }) =>
          define({ environment: { systemPackages: [pkgs["floe-store-work"]] } }),
        ),
      ],
      recordedDisk: true,
    },
  },
  async script({ machine, step, assert, note }) {
    await step("a store is made on the recorded disk", async () => {
      await machine.start();
      await machine.succeed`mkdir /data; mount -t ext4 /dev/vdc /data; dd if=/dev/zero of=/data/words bs=1M count=1 conv=fsync`;
    });
    await step("it is built, imported, collected, optimised and changed until the power is cut", async () => {
      const work = machine.spawn`WORDS_TO=/data/words floe-store-work /data/root 0 1`;
      await machine.within(WORK_SECONDS + 60).succeed`sleep ${WORK_SECONDS}`;
      await machine.crash();
      await work.result.catch(() => {});
    });
    await step(`${CUTS} power cuts within that time leave a whole store`, async () => {
      const report = await machine.storeAfterPowerCuts({ cuts: CUTS, seed: 1 });
      note(
        `${report.cuts} cuts, ${report.withLosses} of them with lost writes, among ${report.writes} writes and ${report.flushes} flushes; ${report.told} things told`,
      );
      assert.deepEqual(report.faults, []);
      assert.ok(report.told > CUTS && report.withLosses > 0, "too little happened to see anything");
    });
  },
});

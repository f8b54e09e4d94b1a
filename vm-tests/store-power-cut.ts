import { defineModule } from "#floe/module";
import { vmTest } from "#floe/vm-test";

/** Things done before the power goes for good; a machine that is emulated takes about ten seconds for them. */
const THINGS = 60;
const CUTS = 40;

export default vmTest({
  name: "store-power-cut",
  description: "Wherever the power is cut, the store is whole and has all that was told as done.",
  platforms: ["x86_64-linux"],
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
      await machine.within(300).waitForUnit("multi-user.target");
      await machine.succeed`mkdir /data; mount -t ext4 /dev/vdc /data; dd if=/dev/zero of=/data/words bs=1M count=1 conv=fsync`;
    });
    await step("it is built, imported, collected, optimised and changed until the power is cut", async () => {
      const work = machine.spawn`WORDS_TO=/data/words floe-store-work /data/root 0 1`;
      const ended = work.result.then(({ stderr }) => assert.equal(stderr, "it works until the power is cut"));
      const enough = machine.within(400)
        .succeed`until [ "$(grep -a -c ^done /data/words)" -ge ${THINGS} ]; do sleep 1; done`;
      await Promise.race([enough, ended]).finally(() => enough.catch(() => {}));
      await machine.crash();
      await ended.catch(() => {});
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

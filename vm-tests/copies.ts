import { vmTest } from "#floe/vm-test";

const FORKS = 4;

export default vmTest({
  name: "copies",
  description: "Copies of a running machine go on where it was, and share nothing with it or each other.",
  platforms: ["x86_64-linux", "aarch64-linux"],
  machines: { machine: { config: {} } },
  async script({ machine, step, assert }) {
    await step("a machine runs a service", async () => {
      await machine.start();
      await machine.succeed`systemd-run --unit=keeper sleep infinity; echo original | tee /var/mark > /run/mark; sync`;
    });
    const process = "systemctl show --property=MainPID --value keeper.service";
    const pid = await machine.succeed`eval ${process}`;
    const forks = await step(`${FORKS} futures of it answer`, () => machine.fork(FORKS, { ownMachineId: true }));
    const all = [machine, ...forks];
    const ask = (command: string): Promise<string[]> => Promise.all(all.map((each) => each.succeed`eval ${command}`));
    await step("what ran goes on in each of them", async () => {
      assert.deepEqual(await ask(process), Array(all.length).fill(pid));
      for (const each of forks) assert.equal(await each.bootId(), await machine.bootId());
    });
    await step("random numbers and machine ids are their own", async () => {
      assert.equal(new Set(await ask("cat /proc/sys/kernel/random/uuid")).size, all.length);
      assert.equal(new Set(await ask("cat /etc/machine-id")).size, all.length);
    });
    await step("each sees its own writes, in memory and on disk", async () => {
      await Promise.all(forks.map((each) => each.succeed`echo ${each.name} | tee /var/mark > /run/mark; sync`));
      const marks = ["original", ...forks.map(({ name }) => name)];
      assert.deepEqual(
        await ask("cat /var/mark /run/mark"),
        marks.map((mark) => `${mark}\n${mark}\n`),
      );
    });
  },
});

import { defineModule } from "#floe/module";
import { vmTest } from "#floe/vm-test";

export default vmTest({
  name: "bash-agent",
  boot: "cold",
  description: "A guest whose agent is a script of bash runs commands, carries files, and is waited for.",
  platforms: ["x86_64-linux", "aarch64-linux"],
  machines: {
    machine: {
      config: {},
      memoryMiB: 512,
      modules: [
        defineModule({ key: "bash-agent" }, ({ pkgs, define }) =>
          define({ testing: { agent: { package: pkgs["floe-agent-bash"] } } }),
        ),
      ],
    },
  },
  async script({ machine, step, assert }) {
    await step("the machine boots", async () => {
      await machine.start();
      await machine.waitUntilSucceeds`systemctl is-active multi-user.target`;
      await machine.waitForJournal(/Reached target/);
    });
    await step("commands keep their streams apart, and run beside each other", async () => {
      const result = await machine.execute`echo ${"a  b; $HOME"}; echo err >&2; exit 7`;
      assert.deepEqual([result.stdout, result.stderr, result.status], ["a  b; $HOME\n", "err\n", 7]);
      const all = await Promise.all(Array.from({ length: 5 }, (_, index) => machine.succeed`sleep 0.1; echo ${index}`));
      assert.deepEqual(all.map(Number), [0, 1, 2, 3, 4]);
      const sleeper = machine.spawn`sleep 345.5`;
      await machine.waitForProcess("sleep 345.5");
      sleeper.kill();
      await machine.waitForProcess("sleep 345.5", { gone: true });
      assert.equal((await sleeper.result).signal, "SIGKILL");
    });
    await step("files go both ways", async () => {
      await machine.writeFile("/run/words", "some words\n", 0o600);
      assert.equal(await machine.succeed`stat -c %a /run/words; cat /run/words`, "600\nsome words\n");
      await machine.succeed`mkdir -p /run/tree/inner; head -c 200K /dev/urandom > "/run/tree/inner/a name"`;
      await machine.copyTo(await machine.copyFrom("/run/tree"), "/run/again");
      const sums = await machine.succeed`cksum < "/run/tree/inner/a name"; cksum < "/run/again/inner/a name"`;
      const [sent, back] = sums.split("\n");
      assert.equal(back, sent);
    });
    await step("paths and sockets are waited for", async () => {
      const there = machine.waitForPath("/run/to-come", { type: "directory" });
      await machine.succeed`mkdir /run/to-come`;
      await there;
      await machine.waitForSocket("/run/systemd/private");
    });
    await step("the agent is started anew when it dies, and the machine reboots and powers off", async () => {
      const died = await machine.execute`systemctl kill --signal=KILL floe-agent.service; sleep 60`.catch(
        (error) => error,
      );
      assert.equal(died.code, "agent.restarted");
      assert.equal(await machine.succeed`echo again`, "again\n");
      const first = await machine.bootId();
      await machine.reboot();
      assert.notEqual(await machine.bootId(), first);
      await machine.shutdown();
    });
  },
});

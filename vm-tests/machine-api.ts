import { vmTest } from "#floe/vm-test";
import { serving } from "./generations.ts";

const service = (script: string) => ({ script, serviceConfig: { Type: "oneshot", RemainAfterExit: true } });

export default vmTest({
  name: "machine-api",
  description:
    "What a story can ask of a machine, against one that is real: units, waits, files, connections, faults, power.",
  platforms: ["x86_64-linux", "aarch64-linux"],
  machines: {
    machine: {
      config: {
        ...serving("one"),
        users: { users: { somebody: { isNormalUser: true } } },
        systemd: {
          services: {
            failing: service("exit 3"),
            late: service("while [ ! -e /run/let-it ]; do sleep 0.1; done"),
          },
        },
      },
      disks: { data: 16 },
    },
  },
  async script({ machine, step, assert }) {
    const codeOf = (work: Promise<unknown>): Promise<string> =>
      work.then(
        () => "",
        (error) => error.code,
      );
    await step("the machine boots", async () => {
      await machine.start();
      await machine.within(120).waitForUnit("multi-user.target");
    });
    await step("commands quote their holes, and tell a no from what is none", async () => {
      assert.equal(await machine.succeed`printf '%s|' ${"a b; $HOME"} ${["c d", 5]}`, "a b; $HOME|c d|5|");
      const result = await machine.execute`echo out; echo err >&2; exit 7`;
      assert.deepEqual([result.stdout, result.stderr, result.status], ["out\n", "err\n", 7]);
      assert.ok(result.durationMs > 0);
      assert.equal((await machine.fail`false`).status, 1);
      for (const no of [
        machine.fail`no-such-program`,
        machine.fail`/etc/passwd`,
        machine.fail`kill -9 $$`,
        machine.fail`bash -c 'kill -9 $$'`,
      ])
        assert.equal(await codeOf(no), "command.not-run");
      assert.equal(await machine.as("somebody").succeed`id -un; echo $HOME`, "somebody\n/home/somebody\n");
      const left = await machine.execute`sleep 30 & echo at once`;
      assert.ok(left.durationMs < 10_000, "what a command leaves behind does not hold it up");
      const all = await Promise.all(Array.from({ length: 20 }, (_, index) => machine.succeed`echo ${index}`));
      assert.deepEqual(
        all.map(Number),
        Array.from({ length: 20 }, (_, index) => index),
      );
    });
    await step("units are data, and waits for them are told or refused", async () => {
      const nginx = machine.unit("nginx.service");
      const { ActiveState, After } = await nginx.properties();
      const first = await nginx.property("MainPID");
      assert.equal(ActiveState, "active");
      assert.ok(Array.isArray(After) && typeof first === "number" && first > 1);
      await nginx.restart();
      assert.notEqual(await nginx.property("MainPID"), first);
      assert.equal(await codeOf(machine.unit("failing.service").start()), "unit.job-failed");
      assert.equal(await codeOf(machine.waitForUnit("failing.service")), "unit.failed");
      assert.deepEqual(await machine.failedUnits(), ["failing.service"]);
      assert.equal(await codeOf(machine.waitForUnit("nothing.service")), "unit.not-found");
      assert.equal(await codeOf(machine.waitForUnit("late.service")), "unit.inactive");
      await machine.succeed`systemctl start --no-block late.service`;
      const late = machine.waitForUnit("late.service");
      await machine.succeed`touch /run/let-it`;
      await late;
      const missed = await machine
        .within(2)
        .waitForFile("/run/nothing")
        .catch((error) => error);
      assert.match(missed.message, /last seen: No such file or directory/);
    });
    await step("waits for paths, sockets, processes, journal and console", async () => {
      const there = machine.waitForPath("/run/deep/er", { type: "directory" });
      await machine.succeed`mkdir -p /run/deep/er`;
      await there;
      const gone = machine.waitForPath("/run/deep/er", { gone: true });
      await machine.succeed`rmdir /run/deep/er`;
      await gone;
      await machine.waitForSocket("/run/systemd/private");
      const sleeper = machine.spawn`sleep 345.5`;
      await machine.waitForProcess("sleep 345.5");
      sleeper.kill();
      await machine.waitForProcess("sleep 345.5", { gone: true });
      const said = machine.waitForJournal(/a word for the journal/);
      await machine.succeed`echo "a word for the journal" > /dev/kmsg`;
      await said;
      await machine.waitForConsoleText("a word for the journal");
      for await (const line of machine.journalLines()) if (line.includes("a word for the journal")) break;
    });
    await step("what listens in the guest is reached from the host, without a network", async () => {
      await machine.waitForPort(80);
      assert.equal((await machine.waitForUrl("http://localhost/")).body, "one\n");
      const forwarded = await machine.forwardPort(80);
      // Scripts run in plain Node, which knows more than an evaluation does.
      const { fetch } = globalThis as unknown as { fetch(url: string): Promise<{ text(): Promise<string> }> };
      const answer = await fetch(`http://${forwarded.host}:${forwarded.port}/`);
      assert.equal(await answer.text(), "one\n");
      await forwarded.close();
      await machine.unit("nginx.service").stop();
      await machine.waitForClosedPort(80);
      assert.equal(await codeOf(machine.fetch("http://127.0.0.1/")), "agent.refused");
    });
    await step("files and folders go both ways", async () => {
      await machine.succeed`mkdir -p /tmp/tree/inner; seq 9000 > "/tmp/tree/inner/a name"; chmod 750 /tmp/tree/inner/*`;
      await machine.succeed`ln -s "inner/a name" /tmp/tree/link; truncate -s 40M /tmp/tree/sparse`;
      const here = await machine.copyFrom("/tmp/tree");
      await machine.copyTo(here, "/tmp/again");
      const looks = await machine.succeed`for tree in /tmp/tree /tmp/again; do
        (cd $tree; stat -c '%A %N' link inner/*; cksum inner/* sparse; [ $(stat -c %b sparse) -lt 100 ]); done`;
      const lines = looks.trimEnd().split("\n");
      assert.deepEqual(lines.slice(0, lines.length / 2), lines.slice(lines.length / 2));
      assert.equal(await codeOf(machine.copyFrom("/tmp/nothing")), "agent.refused");
    });
    await step("a disk is slow, breaks, heals, and a file system is full", async () => {
      const data = machine.disk("data");
      const write = () => machine.execute`dd if=/dev/zero of=${data.path} bs=64k count=16 oflag=direct`;
      assert.equal((await write()).status, 0);
      await data.slow({ bytesPerSecond: 256 << 10 });
      await write();
      const slow = await write();
      assert.ok(slow.status === 0 && slow.durationMs > 2000, `a write took ${slow.durationMs} ms`);
      await data.slow({});
      await data.break("writes");
      assert.match((await write()).stderr, /Input\/output error/);
      await machine.succeed`dd if=${data.path} of=/dev/null bs=64k count=16 iflag=direct`;
      await data.heal();
      assert.equal((await write()).status, 0);
      await machine.succeed`mkdir /mnt && mount -t tmpfs -o size=2M tmpfs /mnt`;
      const empty = await data.fill("/mnt");
      assert.match((await machine.fail`echo word > /mnt/file`).stderr, /No space left/);
      await empty();
      await machine.succeed`echo word > /mnt/file`;
    });
    await step("a disk is pulled out and put back in", async () => {
      const data = machine.disk("data");
      await machine.succeed`echo kept on the disk | dd of=${data.path} conv=fsync status=none`;
      await data.detach();
      await machine.waitForPath(data.path, { gone: true });
      await data.attach();
      assert.equal(await machine.succeed`head -c 17 ${data.path}`, "kept on the disk\n");
    });
    await step("the clock is off, memory is taken, the processors stand still", async () => {
      const before = await machine.clock();
      await machine.skewClock(-3600);
      assert.ok((await machine.clock()).getTime() < before.getTime() - 3_000_000);
      const hold = await machine.useMemory(200);
      // Processes may end while they are looked at.
      const holder =
        await machine.succeed`{ grep -h VmRSS /proc/[0-9]*/status 2> /dev/null || true; } | sort -k2n | tail -1`;
      assert.ok(Number(/\d+/.exec(holder)?.[0]) > 200 << 10);
      await hold.release();
      await machine.pause();
      const waiting = machine.succeed`echo on`;
      await machine.resume();
      assert.equal(await waiting, "on\n");
    });
    await step("power is cut, and the machine comes back; then it reboots and powers off", async () => {
      await machine.succeed`echo kept > /var/kept; sync`;
      const first = await machine.bootId();
      await machine.crash();
      await machine.start();
      assert.equal(await machine.readFile("/var/kept"), "kept\n");
      const second = await machine.bootId();
      assert.notEqual(second, first);
      await machine.bootGeneration(1);
      assert.notEqual(await machine.bootId(), second);
      await machine.shutdown();
    });
  },
});

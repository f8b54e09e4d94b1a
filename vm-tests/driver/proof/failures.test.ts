import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HEADER_BYTES } from "../kernel-image.ts";
import { isInfrastructure } from "../failure-kind.ts";
import { failStory, passStory, proof, proofOfHost, temporaryFolder, theMachine } from "./testing-machine.ts";
import { ownQemus } from "../testing-qemus.ts";

// Each way in which a test can fail: its first line names the cause, and the place is the line of the story that met it.
const HERE = import.meta.filename;

proof("a panic of the kernel", async () => {
  const { error, run } = await failStory(HERE, async ({ machine }) => {
    await machine.start();
    await machine.succeed`echo c > /proc/sysrq-trigger`; // here
  });
  assert.is(error.code, "machine.kernel-panic");
  assert.match(
    error.message,
    /^Cannot go on with the machine "machine": .*Kernel panic - not syncing: sysrq triggered/,
  );
  assert.is(isInfrastructure(run.error?.code ?? ""), false);
});

proof("a boot that hangs, and one that gives up", async () => {
  const machine = theMachine();
  const { base } = machine.generations;
  const booting = (kernelParameters: string) => ({
    cold: true,
    changes: { generations: { base: { ...base, kernelParameters } } },
  });
  const hanging = `${base.kernelParameters} rdinit=/bin/busybox -- sh -c "echo waiting for nothing; exec busybox sleep 999"`;
  const { error } = await failStory(
    HERE,
    async ({ machine: hangs }) => {
      await hangs.within(8).start(); // here
    },
    booting(hanging),
  );
  assert.is(error.code, "machine.no-agent");
  // Which line is the last depends on how far a busy host let it come.
  assert.match(error.message, /no word from the agent within 8.* s of guest time .*last on its console: \S/);
  const { error: refused } = await failStory(
    HERE,
    async ({ machine: refuses }) => {
      await refuses.start(); // here
    },
    booting(base.kernelParameters.replace(/floe\.store=\S+/, "floe.store=tape:/dev/vdb")),
  );
  assert.is(refused.code, "machine.boot-failed");
  assert.match(refused.message, "floe: cannot boot: parameter floe.store=tape:/dev/vdb is not understood");
});

proof("an agent that dies, and one that falls silent", async () => {
  const { error } = await failStory(HERE, async ({ machine }) => {
    await machine.start();
    await machine.succeed`kill -KILL $PPID; sleep 60`; // here
  });
  assert.is(error.code, "agent.restarted");
  assert.match(error.message, "the agent was restarted in the guest");
  const { error: silent } = await failStory(HERE, async ({ machine }) => {
    await machine.start();
    await machine.within(1).succeed`kill -STOP $PPID; sleep 60`; // here
  });
  assert.is(silent.code, "agent.silent");
  assert.match(silent.message, /^Cannot run "kill .*" on "machine": the agent in the guest does not answer any more$/);
});

proofOfHost("a full disk of the guest", async () => {
  const { error } = await failStory(HERE, async ({ machine }) => {
    await machine.start();
    await machine.succeed`mkdir /run/small; mount -t tmpfs -o size=64k small /run/small`;
    await machine.succeed`head -c 1M /dev/zero > /run/small/file`; // here
  });
  assert.is(error.code, "command.failed");
  assert.match(error.message, /^Cannot run "head .*": exit status 1, .*No space left on device/);
});

proofOfHost("a full disk of the host", async () => {
  const small = temporaryFolder();
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=8m", "small", small]).status !== 0)
    return void console.log("skipped: only root can make a small disk");
  try {
    const { error, run } = await failStory(
      HERE,
      async ({ machine }) => {
        await machine.start();
        await machine.succeed`head -c 40M /dev/urandom > /var/much; sync`; // here
      },
      { folder: small, hostFault: true },
    );
    assert.is(error.code, "machine.host-disk-full");
    assert.match(
      error.message,
      /^Cannot go on with the machine "machine": the host has no room left for what its disk disk0/,
    );
    assert.is(isInfrastructure(run.error?.code ?? ""), true);
  } finally {
    spawnSync("umount", [small]);
  }
});

proof("a guest without memory: the command that died of it, and a story that did not look", async () => {
  const { error } = await failStory(HERE, async ({ machine }) => {
    await machine.start();
    await machine.succeed`systemd-run --quiet --scope -p MemoryMax=8M -p MemorySwapMax=0 tail /dev/zero`; // here
  });
  assert.is(error.code, "command.failed");
  assert.match(
    error.message,
    /^Cannot run "systemd-run .*; the kernel said: .*out of memory: Killed process \d+ \(.+\)/,
  );
  const { error: unseen } = await failStory(HERE, async ({ machine }) => {
    await machine.start();
    await machine.succeed`true`;
    await machine.execute`systemd-run --quiet --scope -p MemoryMax=8M -p MemorySwapMax=0 tail /dev/zero`; // here
    await machine.succeed`true`;
  });
  assert.is(unseen.code, "machine.out-of-memory");
  assert.match(unseen.message, /"machine" shows a fault: .*emory cgroup out of memory: Killed process/);
});

proof("a program that crashes, a kernel that complains, and units that wait for each other", async () => {
  const badness = [
    // In the words of either platform's kernel.
    ["machine.segfault", `(ulimit -s 256; bash -c 'f() { f; }; f') || true`, /segfault at|: unhandled exception: /],
    ["machine.kernel-oops", `echo "<1>BUG: unable to handle page fault for address: 42" > /dev/kmsg`, /BUG: unable/],
    [
      "machine.ordering-cycle",
      `cd /run/systemd/system
       printf '[Unit]\\nAfter=two.service\\n[Service]\\nExecStart=/bin/sh -c :\\n' > one.service
       printf '[Unit]\\nAfter=one.service\\nWants=one.service\\n[Service]\\nExecStart=/bin/sh -c :\\n' > two.service
       systemctl daemon-reload; systemctl start two.service`,
      /Found ordering cycle on/,
    ],
  ] as const;
  for (const [code, command, words] of badness) {
    const story = async ({ machine }: Parameters<Parameters<typeof failStory>[1]>[0]): Promise<void> => {
      await machine.start();
      await machine.execute`eval ${command}; sleep 0.5`; // here
      await machine.succeed`true`;
    };
    const { error } = await failStory(HERE, story);
    assert.is(error.code, code, error.message);
    assert.match(error.message, words);
    await passStory(HERE, story, { allowConsole: [words] });
  }
});

proofOfHost("a QEMU that is killed, with all it had said on record", async () => {
  let heard = 0;
  const { error, run } = await failStory(
    HERE,
    async ({ machine }) => {
      await machine.start();
      const [pid = 0] = ownQemus();
      // The guest tells of each line once it has written it, and of all that were told none may be missing.
      const talk = machine.spawn`i=0; while :; do i=$((i+1)); echo "line $i" > /dev/kmsg; echo $i > /run/told; sleep 0.01; done`;
      talk.result.catch(() => {});
      for (let look = 0; look < 5; look++) heard = Number(await machine.succeed`cat /run/told || echo 0`);
      process.kill(pid, "SIGKILL");
      await machine.succeed`sleep 10`; // here
    },
    { hostFault: true },
  );
  assert.is(error.code, "machine.qemu-died");
  assert.match(error.message, /^Cannot go on with the machine "machine": QEMU ended by itself \(SIGKILL\)/);
  assert.is(isInfrastructure(run.error?.code ?? ""), true);
  for (const record of ["console.log", "journal.log"]) {
    const text = readFileSync(join(run.folder, "machine", record), "utf8");
    const numbers = [...text.matchAll(/line (\d+)\r?$/gm)].map(([, number]) => Number(number));
    assert.ok(
      record === "journal.log" || (numbers.at(-1) ?? 0) >= heard,
      `${record} ends with ${numbers.at(-1)} of ${heard}`,
    );
    assert.equal(
      numbers,
      Array.from({ length: numbers.length }, (_, index) => index + 1),
      `${record} has gaps`,
    );
    assert.ok(numbers.length > 0, record);
  }
  assert.is(run.events.at(-1)?.kind, "result");
});

proof("a guest that leaves by itself", async () => {
  const { error, run } = await failStory(HERE, async ({ machine }) => {
    await machine.start();
    await machine.succeed`systemctl reboot --force --force; sleep 60`; // here
  });
  assert.is(error.code, "machine.ended");
  assert.match(error.message, "it powered off or asked for a reboot");
  assert.is(isInfrastructure(run.error?.code ?? ""), false);
});

proof("a kernel for other processors", async () => {
  const { architecture, generations } = theMachine();
  const header = Buffer.alloc(HEADER_BYTES);
  if (architecture === "x86_64") header.write("ARM\x64", 56, "latin1");
  else header.write("HdrS", 0x202, "latin1");
  const kernel = join(temporaryFolder(), "kernel");
  writeFileSync(kernel, header);
  const { error } = await failStory(
    HERE,
    async ({ machine }) => {
      await machine.start(); // here
    },
    { changes: { generations: { base: { ...generations.base, kernel } } } },
  );
  assert.is(error.code, "machine.wrong-architecture");
  assert.match(error.message, /its kernel is for (aarch64|x86_64), and the machine is (x86_64|aarch64)$/);
});

proofOfHost("a port of the host that is taken", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const { error, run } = await failStory(
    HERE,
    async ({ machine }) => {
      await machine.start();
      await machine.forwardPort(80, "127.0.0.1", port); // here
    },
    { hostFault: true },
  );
  server.close();
  assert.is(error.code, "machine.port-taken");
  assert.is(isInfrastructure(run.error?.code ?? ""), true);
  assert.match(error.message, `Cannot forward port ${port} of this host to "machine": another program listens there`);
});

proofOfHost("a machine with more memory than there is", async () => {
  const { error, run } = await failStory(
    HERE,
    async ({ machine }) => {
      await machine.start(); // here
    },
    { changes: { memoryMiB: 2 ** 30 }, hostFault: true },
  );
  assert.is(error.code, "machine.no-host-memory");
  assert.match(error.message, /it has 1073741824 MiB of memory, and this host \d+ MiB$/);
  assert.is(isInfrastructure(run.error?.code ?? ""), true);
});

proofOfHost("a mistake of the script", async () => {
  const { error } = await failStory(HERE, async ({ machine }) => {
    await machine.start();
    const words: { readonly [name: string]: string } = {};
    (words["nothing"] as string).trim(); // here
  });
  assert.is(error.code, "story.threw");
  assert.match(error.message, /^Cannot go on with the story: Cannot read properties of undefined/);
});

proofOfHost("time that is over: of a command, of a wait, of the test", async () => {
  const { error } = await failStory(HERE, async ({ machine }) => {
    await machine.start();
    await machine.within(1).succeed`echo before; sleep 60`; // here
  });
  assert.is(error.code, "command.timeout");
  assert.match(error.message, /^Cannot run "echo before; sleep 60" on "machine": not done after 1\.\d s of guest time/);
  const { error: waited } = await failStory(HERE, async ({ machine }) => {
    await machine.start();
    await machine.within(1).waitForFile("/run/never"); // here
  });
  assert.is(waited.code, "wait.timeout");
  assert.match(waited.message, /last seen: No such file or directory$/);
  const { error: ended } = await failStory(
    HERE,
    async ({ machine }) => {
      await machine.start();
      await machine.succeed`sleep 60`; // here
    },
    { timeoutSeconds: 4 },
  );
  assert.is(ended.code, "vm-test.timeout");
  assert.is(ended.message, `Cannot finish the test "proof": after 4 s it still waits for "sleep 60" on "machine"`);
});

test.run();

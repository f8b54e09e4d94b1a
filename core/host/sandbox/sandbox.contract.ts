import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findBusybox } from "../builder/testdata/busybox.ts";
import { removeTree } from "../files/index.ts";
import { writeSandboxEtc } from "./etc.ts";
import { asleep, processesOf } from "./testdata/asleep.ts";
import { copyPerl } from "./testdata/perl.ts";
import type { ProcessEnd, RunningProcess, Sandbox } from "./sandbox.ts";
import { makeSystemCallFilter } from "./seccomp/index.ts";
import type { BuildUser, SandboxSpec } from "./spec.ts";
import { findReadOnlyProc } from "./support.ts";

const APPLETS =
  "sh ls cat id mkdir ln rm touch sleep chmod chown seq stat test head grep mount umount mknod chroot unshare setfattr true wc tr nc ifconfig hostname kill truncate dd cut sort readlink".split(
    " ",
  );

export interface DescribeSandboxOptions {
  /** A user for builders; `undefined` where they are ours. */
  readonly user: BuildUser | undefined;
  /** Whether the number of a builder's processes is limited. */
  readonly limitsProcesses: boolean;
  /** Whether programs of a builder may gain rights where that is allowed. Default true. */
  readonly canAllowPrivileges?: boolean;
  /** Whether name spaces of one builder serve the next. Default true. */
  readonly reusesUsers?: boolean;
}

/** What every implementation of {@link Sandbox} does. `open` gives a text where this machine cannot have it. */
export async function describeSandbox(
  name: string,
  open: () => Promise<Sandbox | string>,
  { user, limitsProcesses, canAllowPrivileges = true, reusesUsers = true }: DescribeSandboxOptions,
): Promise<void> {
  const test = suite(name);
  const opened = await open();
  const busybox = await findBusybox();
  const missing = typeof opened === "string" ? opened : typeof busybox === "string" ? busybox : undefined;
  if (typeof opened === "string" || typeof busybox === "string") {
    console.log(`skipped: ${name}: ${missing}`);
    return test.run();
  }
  const sandbox = opened;
  const directory = mkdtempSync(`${tmpdir()}/floe-sandbox-test-`);
  // A builder with a user of its own has to get here.
  chmodSync(directory, 0o711);
  const tools = `${directory}/tools`;
  mkdirSync(`${tools}/bin`, { recursive: true });
  copyFileSync(busybox.program, `${tools}/bin/busybox`);
  chmodSync(`${tools}/bin/busybox`, 0o755);
  for (const applet of APPLETS) symlinkSync("busybox", `${tools}/bin/${applet}`);
  const perl = copyPerl(`${directory}/perl`, "/nix/store/perl");
  if (typeof perl === "string") console.log(`skipped in part: ${perl}`);
  writeSandboxEtc(`${directory}/etc`, { network: false });

  interface Run {
    readonly running: RunningProcess;
    readonly output: () => string;
    readonly store: string;
    readonly host: (path: string) => string;
  }
  let count = 0;
  async function start(
    script: string,
    changes: Partial<SandboxSpec> & { builder?: string; args?: string[] } = {},
  ): Promise<Run> {
    const top = `${directory}/${++count}`;
    const { builder = "/nix/store/tools/bin/sh", args = ["-c", script], ...rest } = changes;
    for (const place of [top, `${top}/store`, `${top}/build`]) {
      mkdirSync(place);
      if (user !== undefined) chownSync(place, user.uid, user.gid);
    }
    const pieces: Buffer[] = [];
    const spec: SandboxSpec = {
      storeDirectory: `${top}/store`,
      inputs: [
        { from: tools, to: "tools" },
        ...(existsSync(`${directory}/perl`) ? [{ from: `${directory}/perl`, to: "perl" }] : []),
      ],
      buildDirectory: `${top}/build`,
      etcDirectory: `${directory}/etc`,
      environment: [["PATH", "/nix/store/tools/bin"]],
      network: false,
      devices: [],
      readOnlyProc: user === undefined ? findReadOnlyProc() : [],
      user,
      maxProcesses: 200,
      maxFileBytes: 0,
      maxDataBytes: 0,
      allowNewPrivileges: false,
      filter: makeSystemCallFilter(process.arch === "arm64" ? "arm64" : "x64"),
      ...rest,
    };
    const running = await sandbox.start({
      spec,
      builder,
      args,
      scratchDirectory: top,
      receive: (chunk) => pieces.push(Buffer.from(chunk)),
    });
    return {
      running,
      output: () => Buffer.concat(pieces).toString("latin1"),
      store: `${top}/store`,
      host: (path) => `${top}${path}`,
    };
  }
  async function run(script: string, changes: Parameters<typeof start>[1] = {}): Promise<[ProcessEnd, string]> {
    const { running, output } = await start(script, changes);
    return [await running.ended, output()];
  }
  /** Text of one that ends well. */
  async function say(script: string, changes: Parameters<typeof start>[1] = {}): Promise<string> {
    const [end, output] = await run(script, changes);
    assert.equal(end, { kind: "exited", code: 0 }, output);
    return output;
  }

  test("start() gives a builder its variables, arguments, directory and user, and tells its end", async () => {
    const environment = [
      ["PATH", "/nix/store/tools/bin"],
      ["A", "x\ny"],
    ] as const;
    const args = ["-c", `echo "$A $1"; echo error >&2; pwd; id -u; id -g; hostname; umask; exit 3`, "sh", "one two"];
    // The caller's mask is not the builder's.
    const mask = process.umask(0o077);
    const found = await run("", { environment, args }).finally(() => process.umask(mask));
    assert.equal(found, [{ kind: "exited", code: 3 }, "x\ny one two\nerror\n/build\n1000\n100\nlocalhost\n0022\n"]);
  });

  test("start() shows what the specification names and nothing else", async () => {
    assert.is(
      await say("for d in / /nix/store /etc /tmp /build; do echo $(ls -A $d); done; readlink /bin/sh || echo none"),
      "build dev etc nix proc tmp\nperl tools\ngroup hosts passwd\n\n\nnone\n",
    );
    assert.match(await say("ls -l /bin", { shell: "/nix/store/tools/bin/sh" }), "sh -> /nix/store/tools/bin/sh");
    // bubblewrap shows the terminal of the output under this name as well.
    assert.is(
      (await say("echo $(ls /dev)")).replace("console ", ""),
      "core fd full null ptmx pts random shm stderr stdin stdout tty urandom zero\n",
    );
  });

  test("a builder writes to its own places only, and what it writes is its user's", async () => {
    const { running, output, host } = await start(
      `for place in / /nix /dev /etc /nix/store/tools /nix/store/tools/bin /proc/sys/kernel /sys; do touch $place/x 2>/dev/null && echo "wrote to $place"; done
       for place in /tmp /dev/shm /build /nix/store; do echo new > $place/x || echo "cannot write to $place"; done; echo > /dev/null; head -c 3 /dev/zero | wc -c`,
    );
    assert.equal(await running.ended, { kind: "exited", code: 0 }, output());
    assert.is(output(), "3\n");
    for (const place of ["/build/x", "/store/x"]) {
      assert.is(readFileSync(host(place), "utf8"), "new\n");
      assert.is(statSync(host(place)).uid, user?.uid ?? process.getuid?.());
    }
  });

  test("a builder has no rights, gets no new ones, and its calls are filtered", async () => {
    const status = await say("cat /proc/self/status");
    for (const name of ["CapInh", "CapPrm", "CapEff", "CapAmb"])
      assert.match(status, new RegExp(`^${name}:\\s*0+$`, "m"));
    assert.match(status, /^NoNewPrivs:\s*1$/m);
    assert.match(status, /^Seccomp:\s*2$/m);
    assert.is(await say("touch f; chmod 4755 f 2>/dev/null || stat -c %a f; chmod 755 f; stat -c %a f"), "644\n755\n");
  });

  if (typeof perl !== "string" && process.arch === "x64") {
    test("what a filter is for is refused, whichever call is tried", async () => {
      const [builder = "", ...words] = perl;
      // Numbers of x86_64: open, creat, mknod, openat, chmod, openat2, setxattr, getxattr, listxattr, keyctl, add_key, io_uring_setup.
      const program = `
        sub try { my @words = @_; my $call = shift @words; my $result = syscall($call, @words); print $result < 0 ? $! + 0 : "done", " " }
        try(2, "a", 0101, 04755); try(85, "b", 02755); try(133, "c", 0104755, 0); try(257, -100, "d", 0101, 04755);
        try(2, "e", 0101, 0755); try(90, "e", 06755); try(90, "e", 0700); try(437, -100, "e", 0, 0);
        try(188, "e", "user.x", "v", 1, 0); try(191, "e", "user.x", my $v = "", 0); try(194, "e", my $l = "", 0);
        try(250, 0, -3, 1); try(248, "user", "k", "v", 1, -3); try(425, 1, my $p = "\\0" x 120);
        # ptrace of nobody, reboot, mounting, raw sockets: refused by the kernel itself.
        try(169, 0xfee1dead, 672274793, 0x1234567, 0); try(165, "x", "/tmp", "tmpfs", 0, 0); try(41, 2, 3, 1); try(155, ".", ".");`;
      assert.is(
        await say("", { builder, args: [...words, "-e", program] }),
        "1 1 1 1 done 1 done 38 95 95 95 38 38 38 1 1 1 1 ",
      );
    });
  }

  test("a builder cannot mount, make devices, leave its root or change device nodes of the host", async () => {
    const before = statSync("/dev/null").mode;
    const output = await say(
      `mount -t tmpfs x /tmp 2>/dev/null && echo mounted; umount /nix/store 2>/dev/null && echo unmounted; mknod /build/disk b 8 0 2>/dev/null && echo device
       chroot / true 2>/dev/null && echo chroot; chmod 600 /dev/null 2>/dev/null && echo changed; ls /proc/1/root/home 2>/dev/null && echo home; cd /nix/store/tools/../../../..; echo $(ls); hostname x 2>/dev/null && echo named; true`,
    );
    assert.is(output, "build dev etc nix proc tmp\n");
    assert.is(statSync("/dev/null").mode, before);
  });

  test("a name space a builder makes for itself gives it nothing", async () => {
    const output = await say(
      `unshare -Urm sh -c 'mount -t tmpfs x /tmp && echo inner; mount -o remount,rw,bind /nix/store/tools; touch /nix/store/tools/x && echo wrote; umount /nix/store/tools && echo unmounted; chmod 600 /dev/null && echo changed; true' 2>/dev/null; ls /tmp; echo $(ls /nix/store)`,
    );
    assert.is(output.replace("inner\n", ""), "perl tools\n");
  });

  test("a builder has a network of its own with nothing in it, unless it shares that of the host", async () => {
    const server = createServer((socket) => socket.end("listener\n"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    try {
      const ask = `nc 127.0.0.1 ${port} < /dev/null 2>/dev/null || echo refused`;
      assert.is(await say(`${ask}; cat /proc/net/dev | wc -l; ifconfig lo | grep -c "RUNNING"`), "refused\n3\n1\n");
      assert.is(await say(ask, { network: true }), "listener\n");
    } finally {
      server.close();
    }
  });

  test("a network is as new for the next builder", async () => {
    // Traffic leaves counts and connections that linger; without any a network may be used again.
    for (let round = 0; round < 3; round++) {
      const output = await say(
        `echo $(grep lo: /proc/net/dev | tr -s ' ' | head -c 8) $(wc -l < /proc/net/tcp)
         nc -l -p 4000 > /dev/null & until echo x | nc 127.0.0.1 4000 2>/dev/null; do sleep 0.02; done; wait; grep -c 'lo: *0 ' /proc/net/dev || true`,
      );
      assert.is(output, "lo: 0 0 1\n0\n");
    }
  });

  test("what a builder left running is dead at its end", async () => {
    const { running } = await start(`${asleep(1)} & (${asleep(1)} > /dev/null 2>&1 &); exit 0`);
    assert.equal(await running.ended, { kind: "exited", code: 0 });
    assert.equal(processesOf(asleep(1)), []);
  });

  test("a builder leaves the next one nothing in its name spaces, though they may be the same", async () => {
    const look = `echo "$(id -u) $(id -g) $(hostname) $(ls -A /tmp /dev/shm /build)"
      cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; cut -d' ' -f5,6 /proc/self/mountinfo | grep -v /dev/console | sort
      for p in /proc/[0-9]*; do [ -r $p/cmdline ] && tr '\\0' ' ' < $p/cmdline | head -c 20 && echo; done 2>/dev/null | grep -c '[s]leep'
      cat /proc/sysvipc/shm /proc/sysvipc/msg /proc/sysvipc/sem /proc/sys/user/max_user_namespaces; ulimit -a | grep -v process`;
    const spoil = `echo x > /tmp/x; echo x > /dev/shm/x; echo x > /build/x; hostname spoilt 2>/dev/null; umask 0; ulimit -n 10; ulimit -f 1
      echo 0 > /proc/sys/user/max_user_namespaces; echo "0 0 1" > /proc/self/uid_map; echo allow > /proc/self/setgroups
      for i in 1 2 3 4 5 6; do unshare -U ${asleep(4)} & unshare -Urm sh -c 'mount -t tmpfs x /tmp; ${asleep(4)}' & done; ${asleep(4)} & (trap '' TERM HUP; ${asleep(4)}) & sleep 0.2; true`;
    const numbers = { user: new Set<number>(), ipc: new Set<number>() };
    const held: number[] = [];
    let before: string | undefined;
    for (let round = 0; round < 4; round++) {
      const found = await say(`(${look}) 2>/dev/null || true`);
      assert.match(found, /^1000 100 localhost \/build:\n\n\/dev\/shm:\n\n\/tmp:\n/);
      assert.is(found, before ?? found, `round ${round}`);
      before = found;
      const { running, output } = await start(`(${spoil}) > /dev/null 2>&1; echo ready; exec ${asleep(6)}`);
      await until(() => output().includes("ready") && processesOf(asleep(6)).length > 0);
      // As long as it is open the number of a name space is not given to another one.
      for (const name of user === undefined ? [] : (["user", "ipc"] as const)) {
        const descriptor = openSync(`/proc/${processesOf(asleep(6))[0]}/ns/${name}`, "r");
        held.push(descriptor);
        numbers[name].add(fstatSync(descriptor).ino);
      }
      running.kill();
      await running.ended;
      assert.equal(processesOf(asleep(4)), []);
    }
    for (const descriptor of held) closeSync(descriptor);
    if (user !== undefined) assert.equal([numbers.user.size < 4, numbers.ipc.size], [reusesUsers, 4]);
  });

  test("builders at the same time neither see nor end each other", async () => {
    const first = await start(`echo ready; ${asleep(5)}; echo alive; cat /tmp/* 2>/dev/null; true`);
    await until(() => first.output().includes("ready") && processesOf(asleep(5)).length > 0);
    assert.is(
      await say(
        `echo x > /tmp/x; for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; done 2>/dev/null | grep -c "${asleep(5)}"; kill -9 -1 2>/dev/null; for i in 2 3 4 5 6 7 8 9; do kill -9 $i 2>/dev/null; done; true`,
      ),
      // The text of this builder names it too.
      "1\n",
    );
    assert.is(processesOf(asleep(5)).length, 1);
    for (const pid of processesOf(asleep(5))) process.kill(pid);
    await first.running.ended;
    assert.is(first.output().replace(/Terminated\n/, ""), "ready\nalive\n");
  });

  test("kill() ends everything, also what does not listen to signals", async () => {
    const { running, output } = await start(
      `trap '' TERM INT HUP; (trap '' TERM; ${asleep(2)}) & ${asleep(2)} & echo ready; ${asleep(2)}; ${asleep(2)}`,
    );
    await until(() => output().includes("ready"));
    running.kill();
    assert.equal(await running.ended, { kind: "killed", signal: "SIGKILL" });
    assert.equal(processesOf(asleep(2)), []);
    running.kill();
  });

  test("a builder that stops itself, or signals everyone, hurts only itself", async () => {
    assert.is(await say("kill -9 -1 2>/dev/null; kill -STOP $$; echo alive"), "alive\n");
  });

  test("all of a long output arrives, byte for byte", async () => {
    const output = await say("seq 1 60000; printf '\\000\\377\\033[2J\\r\\n\\b'");
    const expected = `${Array.from({ length: 60000 }, (_, i) => `${i + 1}\n`).join("")}\0\xff\x1b[2J\r\n\b`;
    assert.ok(output === expected, `${output.length} bytes instead of ${expected.length}`);
  });

  test("a builder opens its output by name, and the terminal is not its controlling one", async () => {
    assert.is(
      await say(
        "echo out > /dev/stdout; echo err > /dev/stderr; test -t 1 && echo terminal; (cat < /dev/tty) 2>/dev/null || echo uncontrolled; wc -c < /dev/stdin",
      ),
      "out\nerr\nterminal\nuncontrolled\n0\n",
    );
  });

  test("a program that is not there fails with words", async () => {
    const [end, output] = await run("", { builder: "/nix/store/tools/bin/nothing", args: [] });
    assert.is(end.kind, "exited");
    assert.not.equal(end, { kind: "exited", code: 0 });
    assert.match(output, /\/nix\/store\/tools\/bin\/nothing"?: No such file or directory/);
  });

  test("an argument that is too long is told by its code", async () => {
    let code: unknown;
    try {
      await (await start("", { args: ["-c", ":", "x".repeat(200_000)] })).running.ended;
    } catch (error) {
      code = (error as NodeJS.ErrnoException).code;
    }
    assert.is(code, "E2BIG");
  });

  test("a sandbox that cannot be made is told as such", async () => {
    const [end] = await run("true", { inputs: [{ from: `${directory}/nothing`, to: "nothing" }] });
    assert.is(end.kind, "not-started");
  });

  test("several run at once, each with its own output", async () => {
    const runs = await Promise.all([1, 2, 3, 4].map((i) => say(`for n in 1 2 3 4 5; do echo ${i}; sleep 0.02; done`)));
    assert.equal(
      runs,
      [1, 2, 3, 4].map((i) => `${i}\n`.repeat(5)),
    );
  });

  test("a builder may open as many files everywhere, and leaves no core", async () => {
    assert.is(await say("ulimit -n; ulimit -c"), "1024\n0\n");
  });

  test("a file may not grow beyond the limit, sparse or not", async () => {
    const script =
      "truncate -s 1T big 2>/dev/null || echo refused; dd if=/dev/zero of=big bs=1M count=3 2>/dev/null; wc -c < big";
    assert.is(await say(script, { maxFileBytes: 2 << 20 }), `refused\n${2 << 20}\n`);
  });

  test("a process that takes more memory for its data than it may fails, and that alone", async () => {
    // dd holds one block at a time.
    const script =
      "dd if=/dev/zero of=/dev/null bs=64M count=1 2>/dev/null && echo large; dd if=/dev/zero of=/dev/null bs=1M count=1 2>/dev/null && echo small";
    assert.is(await say(script, { maxDataBytes: 32 << 20 }), "small\n");
    assert.is(await say(script), "large\nsmall\n");
  });

  test("where programs may gain rights a builder has none for all that, and its calls are filtered", async () => {
    const status = await say("cat /proc/self/status; chmod 4755 /build 2>/dev/null && echo changed; true", {
      allowNewPrivileges: true,
      network: true,
    });
    for (const name of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
      assert.match(status, new RegExp(`^${name}:\\s*0+$`, "m"));
    assert.match(status, new RegExp(`^NoNewPrivs:\\s*${canAllowPrivileges ? 0 : 1}$`, "m"));
    assert.match(status, /^Seccomp:\s*2$/m);
    assert.not.match(status, "changed");
  });

  if (limitsProcesses) {
    test("a builder that forks without end meets a limit", async () => {
      const { running, output } = await start("i=0; while [ $i -lt 400 ]; do sleep 20 & i=$((i+1)); done; echo all");
      const end = await running.ended;
      assert.not.match(output(), "all");
      assert.match(output(), /fork/);
      assert.not.equal(end, { kind: "exited", code: 0 });
    });
  }

  if (user !== undefined) {
    test("a builder is its user to the kernel, and nobody else", async () => {
      const { running, output } = await start(`echo ready; exec ${asleep(3)}`);
      await until(() => output().includes("ready") && processesOf(asleep(3)).length > 0);
      const status = readFileSync(`/proc/${processesOf(asleep(3))[0]}/status`, "utf8");
      running.kill();
      await running.ended;
      assert.match(status, new RegExp(`^Uid:(\\s+${user.uid}){4}$`, "m"));
      assert.match(status, new RegExp(`^Gid:(\\s+${user.gid}){4}$`, "m"));
      assert.match(status, /^Groups:\s*$/m);
    });
  }

  test.after(async () => {
    await sandbox.close();
    removeTree(directory);
    if (existsSync(directory)) rmSync(directory, { recursive: true });
  });
  test.run();
}

async function until(condition: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 10_000; !condition(); ) {
    if (Date.now() > deadline) throw new Error("the condition did not come true within 10 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

import { lstatSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { hostname } from "node:os";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { formatHash, hashBytes } from "../../base/index.ts";
import { local } from "../../derivation/index.ts";
import type { StorePath } from "../../store/index.ts";
import { hashTree } from "../files/index.ts";
import { openLocalStore } from "../local-store/index.ts";
import { giveDefaultAcl, listAttributes } from "../local-store/testing.ts";
import { findNativeProgram, findSandboxSupport } from "../sandbox/index.ts";
import { asleep, processesOf } from "../sandbox/testdata/asleep.ts";
import { copyPerl } from "../sandbox/testdata/perl.ts";
import { buildPaths } from "./build-paths.ts";
import { openBuildBench } from "./testdata/build-bench.ts";

/** Builders that try what builders must not do: each is refused, or harms nothing but itself. */
const test = suite("hostile builders");
const bench = await openBuildBench();

if (typeof bench === "string") {
  console.log(`skipped: ${bench}`);
} else {
  const { store, real } = bench;
  type Value = Awaited<ReturnType<typeof bench.script>>;
  const linesOf = (report: Awaited<ReturnType<typeof bench.build>>): string[] =>
    report.events.flatMap((event) => (event.kind === "log-line" ? [event.line] : []));
  const codeOf = async (value: Value): Promise<string | undefined> =>
    (await bench.build(value)).failures[0]?.error.code;
  const leftovers = (name: string): string[] =>
    readdirSync(store.realStoreDirectory).filter((each) => each.includes(name));
  const narHashOf = async (value: Value): Promise<string> => formatHash((await hashTree(real(value))).narHash, "sri");
  const isNative = ((): boolean => {
    const support = findSandboxSupport();
    return support.kind === "available" && support.native !== undefined;
  })();

  const perlWords = copyPerl(`${bench.directory}/perl`, "@perl@");
  const perlPath =
    typeof perlWords === "string" ? undefined : String(local(`${bench.directory}/perl`, { name: "perl" }));
  if (typeof perlWords === "string") console.log(`skipped in part: ${perlWords}`);
  /** A builder that is a perl program. */
  const perl = (program: string, options: Parameters<typeof bench.script>[1] = {}): Promise<Value> => {
    const [builder = "", ...words] = (perlWords as readonly string[]).map((word) =>
      word.replaceAll("@perl@", perlPath ?? ""),
    );
    return bench.script("", { builder, args: [...words, "-e", program], ...options });
  };

  test("an input cannot be changed by any means", async () => {
    const input = await bench.script("mkdir -p $out/d; echo kept > $out/d/file; ln -s d $out/link", { name: "victim" });
    assert.is((await bench.build(input)).exitCode, 0);
    const before = await narHashOf(input);
    const value = await bench.script(
      `cd ${input}; chmod -R u+w . 2>/dev/null || true
       for try in "touch d/file" "rm d/file" "rm -r d" "ln -sf / link" "dd if=/dev/zero of=d/file" "mv d e" "mv ${input} /nix/store/moved" "rm -rf ${input}" "ln d/file $out" "mount -o remount,rw ${input}" "cp /dev/null d/file"; do
         $try > /dev/null 2>&1 && echo "did: $try"; done; (echo x > d/file) 2>/dev/null && echo wrote; test -e $out || touch $out`,
      { name: "attacker" },
    );
    const report = await bench.build(value);
    assert.equal([report.exitCode, linesOf(report)], [0, []]);
    assert.is(await narHashOf(input), before);
  });

  test("the output of another build can neither be seen nor made", async () => {
    const other = await bench.script("echo other > $out", { name: "other-output" });
    const later = await bench.script("echo right > $out", { name: "later-output" });
    assert.is((await bench.build(other)).exitCode, 0);
    // Paths in plain text are no inputs: only what the store's digests say counts.
    const hidden = (path: string): string => `${path.slice(0, 30)}""${path.slice(30)}`;
    const value = await bench.script(
      `test ! -e ${hidden(other.outPath)} || echo visible; for p in ${hidden(other.outPath)} ${hidden(later.outPath)}; do echo forged > $p; done; touch $out`,
      { name: "forger" },
    );
    const report = await bench.build(value);
    assert.equal([report.exitCode, linesOf(report)], [0, []]);
    assert.is(readFileSync(real(other), "utf8"), "other\n");
    assert.not.ok(store.isValid(later.outPath));
    assert.equal(
      leftovers("later-output").filter((name) => !name.endsWith(".drv")),
      [],
    );
    assert.is((await bench.build(later)).exitCode, 0);
    assert.is(readFileSync(real(later), "utf8"), "right\n");
  });

  test("an output that is a link to the host is kept as a link, and what it names is left alone", async () => {
    const before = [statSync("/etc").mode, statSync("/etc/passwd").mode, statSync("/etc/passwd").mtimeMs];
    const link = await bench.script("ln -s /etc $out", { name: "link-out" });
    assert.is((await bench.build(link)).exitCode, 0);
    assert.is(readlinkSync(real(link)), "/etc");
    const inside = await bench.script("mkdir $out; ln -s /etc/passwd $out/passwd; ln -s ../../../../etc $out/up", {
      name: "link-in",
    });
    const report = await bench.build(inside);
    assert.is(report.exitCode, 0);
    assert.ok(lstatSync(`${real(inside)}/passwd`).isSymbolicLink());
    assert.ok((store.queryPathInfo(inside.outPath as StorePath)?.narSize ?? 0) < 2000);
    assert.equal([statSync("/etc").mode, statSync("/etc/passwd").mode, statSync("/etc/passwd").mtimeMs], before);
  });

  test("an output others could write to is refused; inside, rights are made canonical", async () => {
    for (const mode of ["777", "775", "1777"])
      assert.is(
        await codeOf(await bench.script(`mkdir $out; chmod ${mode} $out`, { name: "open-out" })),
        "build.suspicious-output",
      );
    assert.is(
      await codeOf(await bench.script("touch $out; chmod 666 $out", { name: "open-file" })),
      "build.suspicious-output",
    );
    assert.equal(
      leftovers("open-out").filter((name) => !name.endsWith(".drv")),
      [],
    );
    const value = await bench.script(
      "mkdir -p $out/d; touch $out/d/f; chmod 1777 $out/d; chmod 7777 $out/d/f 2>/dev/null || chmod 777 $out/d/f",
      { name: "open-inside" },
    );
    assert.is((await bench.build(value)).exitCode, 0);
    assert.equal(
      [statSync(`${real(value)}/d`).mode & 0o7777, statSync(`${real(value)}/d/f`).mode & 0o7777],
      [0o555, 0o555],
    );
  });

  test("devices, sockets and pipes do not become outputs", async () => {
    assert.is(
      await codeOf(await bench.script("mkdir $out; mknod $out/null c 1 3", { name: "device" })),
      "build.failed",
    );
    assert.is(await codeOf(await bench.script("mkfifo $out", { name: "pipe" })), "files.unsupported-type");
    if (perlPath === undefined) return;
    const socket = `mkdir $ENV{out}; chdir $ENV{out}; socket(S, 1, 1, 0); bind(S, pack("Sa*", 1, "s")) or die $!`;
    assert.is(await codeOf(await perl(socket, { name: "socket" })), "files.unsupported-type");
  });

  test("the users, home and name of the host stay unknown", async () => {
    const value = await bench.script(
      `cat /etc/passwd /etc/group | grep -v -E '^(root|nixbld|nobody|nogroup):' && echo users; echo "$HOME"; mkdir -p "$HOME" 2>/dev/null && echo home
       hostname; cat /etc/shadow /etc/hostname /proc/1/environ 2>/dev/null | grep -c . || true; ls /proc/1/root/ | wc -l; ls -d /proc/[0-9]* | wc -l; touch $out`,
      { name: "curious" },
    );
    const report = await bench.build(value);
    // Its own variables are what it finds of the first process, which it is; then the root's six entries, itself and ls.
    assert.equal(
      linesOf(report).filter((line) => !/^\d+$/.test(line)),
      ["/homeless-shelter", "localhost"],
    );
    assert.not.ok(linesOf(report).includes(hostname() === "localhost" ? "" : hostname()));
    assert.is(linesOf(report)[3], "6");
    assert.ok(Number(linesOf(report)[4]) <= 3);
  });

  test("no process of the host can be seen, signalled or traced", async () => {
    if (perlPath === undefined) return;
    const program = `my @e; for my $pid (${process.pid}, getppid(), 2) { push @e, kill(0, $pid) ? "seen" : $! + 0; push @e, syscall(101, 16, $pid, 0, 0) < 0 ? $! + 0 : "traced" }
      print "@e\\n"; kill 9, -1; open my $f, ">", $ENV{out}`;
    const report = await bench.build(await perl(program, { name: "tracer" }));
    assert.is(report.exitCode, 0);
    // ESRCH; process 0 is its own group, which it may signal, and cannot be traced.
    const [line = ""] = linesOf(report);
    assert.not.match(line, "traced");
    assert.is(line.split(" ")[0], "3");
  });

  test("sockets reach neither the host nor another builder", async () => {
    if (perlPath === undefined) return;
    const name = `floe-hostile-${process.pid}`;
    const listeners = [createServer((socket) => socket.end()), createServer((socket) => socket.end())] as const;
    await new Promise<void>((resolve) => listeners[0].listen(0, "127.0.0.1", resolve));
    await new Promise<void>((resolve) => listeners[1].listen(`\0${name}`, resolve));
    const { port } = listeners[0].address() as { port: number };
    const program = (marker: string): string => `my @e;
      socket(A, 2, 1, 0); push @e, connect(A, pack("SnC4x8", 2, ${port}, 127, 0, 0, 1)) ? "reached" : $! + 0;
      socket(B, 1, 1, 0); push @e, connect(B, pack("Sa*", 1, "\\0${name}")) ? "reached" : $! + 0;
      print "@e\\n"; open my $f, ">", $ENV{out}; print $f "${marker}"`;
    try {
      const closed = await bench.build(await perl(program("closed"), { name: "caller" }));
      assert.equal(linesOf(closed), ["111 111"]);
      // Who declares a hash has the network, yet not the sockets of this machine's other programs.
      const fixed = { method: "flat", hash: formatHash(hashBytes("sha256", "open"), "sri") } as const;
      const open = await bench.build(await perl(program("open"), { name: "fetcher", fixed }));
      const [tcp, unix] = (linesOf(open)[0] ?? "").split(" ");
      assert.is(tcp, "reached");
      if (isNative && hasScopes()) assert.is(unix, "1");
    } finally {
      for (const listener of listeners) listener.close();
    }
  });

  test("two builders that share the network cannot talk by abstract sockets", async () => {
    if (perlPath === undefined || !isNative || !hasScopes())
      return console.log("skipped: this kernel has no Landlock scopes, or floe-sandbox is missing");
    const name = `floe-pair-${process.pid}`;
    const fixed = (text: string) => ({ method: "flat", hash: formatHash(hashBytes("sha256", text), "sri") }) as const;
    const address = `pack("Sa*", 1, "\\0${name}")`;
    const listen = await perl(
      `socket(S, 1, 1, 0); bind(S, ${address}) or die $!; listen(S, 1); $SIG{ALRM} = sub { print "nobody\\n"; open my $f, ">", $ENV{out}; print $f "a"; exit 0 }; alarm 3; accept(C, S); print "talked\\n"`,
      { name: "listener", fixed: fixed("a") },
    );
    const call = await perl(
      `for (1..80) { socket(S, 1, 1, 0); print "talked\\n" if connect(S, ${address}); last if $! == 1; select(undef, undef, undef, 0.1) } print "refused\\n" if $! == 1; open my $f, ">", $ENV{out}; print $f "b"`,
      { name: "talker", fixed: fixed("b") },
    );
    const [one, two] = await Promise.all([bench.build(listen), bench.build(call)]);
    assert.equal([linesOf(one), linesOf(two)], [["nobody"], ["refused"]]);
  });

  test("a fork bomb ends with its time, and so does a builder that stops or hides", async () => {
    const bomb = await bench.script(`b() { b | b & }; trap '' TERM HUP INT; while true; do b; done 2>/dev/null`, {
      name: "bomb",
    });
    const stopped = await bench.script("sh -c 'kill -STOP $$' & wait; sleep 100", { name: "stopped" });
    const daemon = await bench.script(
      `(trap '' TERM; ${asleep(1)} & ${asleep(1)}) & (${asleep(1)} > /dev/null 2>&1 < /dev/null &) ; exec > /dev/null 2>&1; ${asleep(1)}`,
      { name: "daemon" },
    );
    for (const value of [bomb, stopped, daemon]) {
      const report = await bench.build(value, { timeoutSeconds: 1, maxProcesses: 100 });
      const code = report.failures[0]?.error.code;
      // A shell that may not fork any more gives up by itself.
      assert.ok(code === "build.timeout" || (value === bomb && code === "build.failed"), code);
    }
    assert.equal(processesOf(asleep(1)), []);
  });

  test("a process left behind writes no more when the builder has ended", async () => {
    const value = await bench.script(
      `mkdir $out; (while true; do echo more >> $out/file; done) & (while true; do echo noise; done) & sleep 0.1`,
      { name: "ghost" },
    );
    assert.is((await bench.build(value)).exitCode, 0);
    const first = await narHashOf(value);
    assert.is(
      first,
      formatHash(store.queryPathInfo(value.outPath as StorePath)?.narHash as Parameters<typeof formatHash>[0], "sri"),
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.is(await narHashOf(value), first);
  });

  test("a log without end is cut, with or without lines", async () => {
    for (const text of [
      "while true; do echo flood; done",
      "cat /dev/zero",
      "head -c 100000000 /dev/zero | tr '\\0' x",
      "cat /dev/urandom",
    ]) {
      const before = process.memoryUsage().rss;
      const report = await bench.build(await bench.script(text, { name: "flood" }), {
        maxLogBytes: 2_000_000,
        timeoutSeconds: 20,
      });
      assert.equal([report.exitCode, report.failures[0]?.error.code], [100, "build.log-too-large"], text);
      assert.ok(process.memoryUsage().rss - before < 200_000_000);
    }
  });

  test("what a log does to a terminal is taken from its lines", async () => {
    const value = await bench.script(
      `printf 'a\\033[2Jb\\033]0;title\\007c\\rd\\033[31me\\000\\177\\n'; printf '\\302\\2331mf\\n'; printf '\\377\\376g\\n'; touch $out`,
      { name: "painter" },
    );
    const report = await bench.build(value);
    for (const line of linesOf(report)) assert.not.match(line, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
    assert.equal(linesOf(report).slice(0, 2), ["de", "1mf"]);
  });

  test("what a builder does to its terminal is gone for the next", async () => {
    if (perlPath === undefined || !isNative) return;
    // Upper case (OLCUC), its own terminal in control, typed input (TIOCSTI), stopped output (TCXONC).
    const program = `my $t = "\\0" x 60; ioctl(STDOUT, 0x5401, $t); my @t = unpack("L*", $t); $t[1] |= 3; ioctl(STDOUT, 0x5402, pack("L*", @t));
      syscall(112); ioctl(STDOUT, 0x540e, 0); ioctl(STDOUT, 0x5412, my $c = "x") for 1..5; open my $f, ">", $ENV{out}; ioctl(STDOUT, 0x540a, 0)`;
    assert.is((await bench.build(await perl(program, { name: "vandal" }))).exitCode, 0);
    const report = await bench.build(await bench.script("echo lower; touch $out", { name: "after-vandal" }));
    assert.equal(linesOf(report), ["lower"]);
  });

  test("long names, many files and deep directories are taken or refused in words, and cleared away", async () => {
    const many = await bench.script(`mkdir $out; cd $out; touch ${"n".repeat(255)}; seq 1 12000 | xargs touch`, {
      name: "many",
    });
    const taken = await bench.build(many);
    assert.is(taken.exitCode, 0, [taken.failures[0]?.error.message, ...linesOf(taken)].join("\n"));
    assert.is(readdirSync(real(many)).length, 12_001);
    if (perlPath === undefined) return;
    const deep = (place: string): string =>
      `mkdir $ENV{out}; chdir "${place}"; for (1..20) { mkdir "d" x 250; chdir "d" x 250 } open my $f, ">", "bottom"; chmod 0500, "."`;
    assert.is(await codeOf(await perl(deep("$ENV{out}"), { name: "deep" })), "build.output-too-deep");
    const below = await bench.build(await perl(deep("/build"), { name: "deep-build" }));
    assert.is(below.exitCode, 0, below.failures[0]?.error.message);
    assert.equal([...leftovers("-deep.drv.chroot"), ...leftovers("deep-build.drv.chroot")], []);
  });

  test("a sparse file longer than the disk is not made", async () => {
    const report = await bench.build(
      await bench.script("truncate -s 1000T $out || touch $out; stat -c %s $out", { name: "sparse" }),
    );
    assert.is(linesOf(report).at(-1), "0");
  });

  test("what the store directory hands on to all that is made in it is not on an output", async () => {
    const other = await bench.openOther();
    const refused =
      findNativeProgram() === undefined ? "there is no floe-sandbox" : giveDefaultAcl(other.realStoreDirectory);
    if (refused !== undefined) return console.log(`skipped: attributes cannot be seen or set here: ${refused}`);
    const value = await bench.script("mkdir $out; echo x > $out/file", { name: "handed-on" });
    using fresh = openLocalStore({ root: other.root });
    fresh.addDerivation(bench.store.readDerivation(value.drvPath as StorePath));
    const report = await buildPaths({ store: fresh, targets: [{ drvPath: value.drvPath as StorePath }] });
    assert.is(report.exitCode, 0);
    for (const file of [value.outPath, `${value.outPath}/file`]) assert.equal(listAttributes(fresh.realPath(file)), []);
  });

  test("a link in the build directory does not lead us out of it", async () => {
    const target = `${bench.directory}/must-not-be`;
    const value = await bench.script(`ln -s ${target} env-vars; ln -s / up; chmod 000 .; exit 1`, { name: "trap" });
    const report = await bench.build(value, { keepFailed: true });
    assert.is(report.failures[0]?.error.code, "build.failed");
    const kept = /build directory kept: (\S+)/.exec(report.failures[0]?.error.details?.join("\n") ?? "")?.[1] ?? "";
    assert.not.ok(lstatSync(target, { throwIfNoEntry: false }));
    rmSync(kept, { recursive: true, force: true });
  });

  test.after(() => bench.close());
}

/** Whether the kernel is new enough to keep abstract sockets apart, and Landlock is on. */
function hasScopes(): boolean {
  const [major = 0, minor = 0] = readFileSync("/proc/sys/kernel/osrelease", "utf8").split(".").map(Number);
  if (major < 6 || (major === 6 && minor < 12)) return false;
  try {
    return readFileSync("/sys/kernel/security/lsm", "utf8").includes("landlock");
  } catch {
    return true;
  }
}

test.run();

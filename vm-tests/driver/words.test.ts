import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { callSite } from "./call-site.ts";
import { checkFailed, checkSucceeded, showCommand } from "./commands.ts";
import { judgeConsoleLine, judgeJournalLine, saysTheSame } from "./console-trouble.ts";
import { isInfrastructure, isReasonNotToCopy } from "./failure-kind.ts";
import { HEADER_BYTES, kernelArchitecture } from "./kernel-image.ts";
import { LineRecorder } from "./line-recorder.ts";
import { defaultRunFolder } from "./run-folder.ts";
import { showSeconds } from "./run-log.ts";
import { command, quote } from "./shell.ts";
import { keysFor, parseChord } from "./keyboard.ts";
import { judgeUnit, readUnitState } from "./units.ts";

const sh = (parts: TemplateStringsArray, ...holes: Parameters<typeof command>[1]) => command(parts, holes);
const result = (status: number, stdout = "", stderr = "") => ({ status, stdout, stderr, durationMs: 1 });
const codeOf = (body: () => unknown): string => {
  try {
    body();
    return "";
  } catch (error) {
    return (error as { code: string }).code;
  }
};

test("quote() leaves plain words and protects all others", () => {
  assert.is(quote("/etc/os-release"), "/etc/os-release");
  assert.is(quote(""), "''");
  assert.is(quote("it's $HOME"), `'it'\\''s $HOME'`);
});

test("command() quotes holes, spreads lists and leaves backslashes to the shell", () => {
  assert.is(sh`cat ${"my file"} | head -n ${3}`, "cat 'my file' | head -n 3");
  assert.is(sh`rm ${["a b", "c"]}`, "rm 'a b' c");
  assert.is(sh`printf 'a\n' \${X} \`date\``, ["printf 'a\\n' $", "{X} `date`"].join(""));
});

test("checkSucceeded() and checkFailed() tell success, a no, and a program that never ran apart", () => {
  assert.is(checkSucceeded("m", "true", result(0)).status, 0);
  assert.is(checkFailed("m", "false", result(1)).status, 1);
  assert.is(
    codeOf(() => checkSucceeded("m", "false", result(1, "", "no\n"))),
    "command.failed",
  );
  assert.is(
    codeOf(() => checkFailed("m", "true", result(0))),
    "command.succeeded",
  );
  assert.is(
    codeOf(() => checkFailed("m", "grpe", result(127))),
    "command.not-run",
  );
  assert.is(
    codeOf(() => checkFailed("m", "x", { ...result(139), signal: "SIGSEGV" })),
    "command.not-run",
  );
  // A shell says so of a program it waited for that a signal ended.
  assert.is(
    codeOf(() => checkFailed("m", "x | y", result(137))),
    "command.not-run",
  );
  assert.is(checkFailed("m", "ssh nowhere", result(255)).status, 255);
  assert.is(
    codeOf(() => checkFailed("m", "x", result(126))),
    "command.not-run",
  );
});

test("checkSucceeded() says in its first line why a command failed, as far as anybody said", () => {
  const message = (failed: Parameters<typeof checkSucceeded>[2]): string => {
    try {
      checkSucceeded("m", "x", failed);
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };
  assert.is(message(result(1)), 'Cannot run "x" on "m": exit status 1, expected success');
  const said = 'Cannot run "x" on "m": exit status 2, expected success; it said: No space left on device';
  assert.is(message(result(2, "", "x: writing\nNo space left on device\n")), said);
  const killed = { ...result(137, "", "Killed\n"), complaint: "[   12.300000] Out of memory: Killed process 8 (x)" };
  assert.match(message(killed), /137, expected success; the kernel said: Out of memory: Killed process 8 \(x\)$/);
});

test("showCommand() makes one short line", () => {
  assert.is(showCommand("\n  a\n  b\n"), "a; b");
  assert.is(showCommand("x".repeat(500)).length, 160);
});

test("judgeUnit() waits for what may come and refuses what never will", () => {
  const state = (load: string, active: string, job = 0) =>
    readUnitState({ Id: "a.service", LoadState: load, ActiveState: active, SubState: "sub", Job: [job, "/job"] });
  assert.equal(judgeUnit("m", "a.service", state("loaded", "active")), { value: undefined });
  assert.equal(judgeUnit("m", "a.service", state("loaded", "inactive", 17)), {
    seen: "inactive (sub), with a job queued",
  });
  assert.equal(judgeUnit("m", "a.service", state("loaded", "activating")), { seen: "activating (sub)" });
  const refused = (load: string, active: string) => codeOf(() => judgeUnit("m", "a.service", state(load, active)));
  assert.is(refused("loaded", "failed"), "unit.failed");
  assert.is(refused("not-found", "inactive"), "unit.not-found");
  assert.is(refused("masked", "inactive"), "unit.not-found");
  assert.is(refused("loaded", "inactive"), "unit.inactive");
});

test("keysFor() and parseChord() name QEMU's keys", () => {
  assert.equal([..."aZ1!?\n "].map(keysFor), [
    ["a"],
    ["shift", "z"],
    ["1"],
    ["shift", "1"],
    ["shift", "slash"],
    ["ret"],
    ["spc"],
  ]);
  assert.is(
    codeOf(() => keysFor("ü")),
    "screen.no-key",
  );
  assert.equal(parseChord("ctrl-alt-delete"), ["ctrl", "alt", "delete"]);
});

test("judgeConsoleLine() knows what kills a kernel and what only hurts it", () => {
  const kind = (line: string) => {
    const found = judgeConsoleLine(line);
    return found && `${found.kind} ${found.code}`;
  };
  const panic = "fatal machine.kernel-panic";
  assert.is(kind("[    1.7] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100"), panic);
  assert.is(kind("You are in emergency mode. After logging in, type ..."), "fatal machine.boot-failed");
  assert.is(kind('floe: cannot boot: device "/dev/vdz" did not appear'), "fatal machine.boot-failed");
  assert.is(kind("BUG: kernel NULL pointer dereference, address: 0000000000000000"), "bad machine.kernel-oops");
  assert.is(kind("Oops: 0002 [#1] PREEMPT SMP"), "bad machine.kernel-oops");
  assert.is(
    kind("Oops: general protection fault, probably for non-canonical address: 0000 [#1]"),
    "bad machine.kernel-oops",
  );
  assert.is(kind("nginx[123]: segfault at 0 ip 00007f error 4"), "bad machine.segfault");
  assert.is(kind("traps: nginx[123] general protection fault ip:401000 sp:7ff error:0"), "bad machine.segfault");
  assert.is(kind("nginx[12]: unhandled level 2 translation fault (11) at 0x00000000"), "bad machine.segfault");
  assert.is(kind("Out of memory: Killed process 81 (nginx) total-vm:1kB"), "bad machine.out-of-memory");
  assert.is(kind("Memory cgroup out of memory: Killed process 81 (nginx)"), "bad machine.out-of-memory");
  assert.is(kind("EXT4-fs error (device vda): ext4_lookup:1858: inode #12"), "bad machine.disk-error");
  assert.is(kind("INFO: task nginx:81 blocked for more than 120 seconds."), "bad machine.hung-task");
  assert.is(kind("systemd[1]: a.service: Found ordering cycle on b.service/start"), "bad machine.ordering-cycle");
  assert.is(kind("EXT4-fs (vda): recovery complete"), undefined);
  assert.is(kind("[  OK  ] Started Serial Getty on ttyS0."), undefined);
});

test("judgeJournalLine() hears systemd alone, and of both records one complaint is made", () => {
  const said = "systemd[1]: a.service: Found ordering cycle on b.service/start";
  const inJournal = judgeJournalLine(`[   12.500] ${said}`);
  assert.is(inJournal?.code, "machine.ordering-cycle");
  assert.is(judgeJournalLine("[   12.500] nginx[81]: Found ordering cycle on b.service/start"), undefined);
  const onConsole = judgeConsoleLine(`[    3.250001] ${said}`);
  assert.ok(inJournal !== undefined && onConsole !== undefined && saysTheSame(inJournal, onConsole));
});

test("kernelArchitecture() reads the headers of kernels, and of nothing else", () => {
  const header = (at: number, bytes: string): Buffer => {
    const file = Buffer.alloc(HEADER_BYTES);
    file.write(bytes, at, "latin1");
    return file;
  };
  const elf = (machine: number): Buffer => {
    const file = header(0, "\x7fELF");
    file.writeUInt16LE(machine, 18);
    return file;
  };
  const found = [
    elf(62),
    elf(183),
    elf(3),
    header(56, "ARM\x64"),
    header(0x202, "HdrS"),
    header(0, "MZ"),
    Buffer.alloc(0),
  ];
  const expected = ["x86_64", "aarch64", undefined, "aarch64", "x86_64", undefined, undefined];
  assert.equal(found.map(kernelArchitecture), expected);
});

/** Codes of QEMU and its control channel that are mistakes of a story or of the driver, or what a machine is. */
const NOT_OF_THE_HOST = [
  "qemu.flatten-failed",
  "qemu.no-snapshot",
  "qemu.not-frozen",
  "qemu.not-migratable",
  "qemu.not-restored",
  "qmp.refused",
];

const QEMU_OF_THE_HOST = [
  "qemu.missing",
  "qemu.no-hvf",
  "qemu.no-kvm",
  "qemu.no-memory",
  "qemu.no-socket",
  "qemu.not-forkable",
  "qemu.not-forked",
  "qemu.not-started",
  "qemu.overlay-failed",
  "qemu.state-lost",
  "qmp.closed",
];

test("isInfrastructure() tells what failed on the host's side from what failed in machines and stories", () => {
  for (const code of [
    ...QEMU_OF_THE_HOST,
    "machine.qemu-died",
    "machine.host-disk-full",
    "machine.no-host-memory",
    "machine.port-taken",
    "vm-test.records-full",
  ])
    assert.ok(isInfrastructure(code), code);
  for (const code of [
    ...NOT_OF_THE_HOST,
    "machine.ended",
    "machine.kernel-panic",
    "command.failed",
    "agent.silent",
    "vm-test.timeout",
  ])
    assert.not.ok(isInfrastructure(code), code);
});

test("isInfrastructure() is asked above about every code that the wrapper of QEMU has", () => {
  const folder = join(import.meta.dirname, "../qemu-wrapper");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const sources = files.filter((file) => /\.ts$/.test(file) && !/\.test\.ts$|node_modules/.test(file));
  const text = sources.map((file) => readFileSync(join(folder, file), "utf8")).join("");
  const codes = new Set(text.match(/(?<=")(?:qemu|qmp)\.[a-z-]+(?=")/g));
  assert.equal([...codes].sort(), [...QEMU_OF_THE_HOST, ...NOT_OF_THE_HOST].sort());
});

test("isReasonNotToCopy() keeps what a machine is, and nothing that befell the host", () => {
  for (const code of ["machine.no-agent", "machine.kernel-panic", "qemu.not-frozen", "qmp.refused"])
    assert.ok(isReasonNotToCopy(code), code);
  for (const code of [
    "machine.qemu-died",
    "machine.no-host-memory",
    "qemu.not-started",
    "qemu.state-lost",
    "qmp.closed",
    "story.threw",
  ])
    assert.not.ok(isReasonNotToCopy(code), code);
});

test("LineRecorder makes lines of pieces, without terminal control", () => {
  const recorder = new LineRecorder();
  const seen: string[] = [];
  recorder.onLine((line) => seen.push(line));
  const bytes = Buffer.from("\x1b]104\x1b\\\x1b[!p\x1b[0;32m  OK  \x1b[0m gr\u00fcn\r\nnext\r\npart");
  for (const byte of bytes) recorder.push(Buffer.from([byte]));
  assert.equal(seen, ["  OK   gr\u00fcn", "next"]);
  assert.equal(recorder.last(2), ["next", "part"]);
  assert.is(recorder.find(/^ne/), "next");
  assert.is(recorder.find("absent"), undefined);
});

test("callSite() is the line of the story", () => {
  const at = callSite();
  assert.match(at?.file ?? "", /words\.test\.ts$/);
  assert.ok((at?.line ?? 0) > 0);
});

test("callSite() reads frames of functions, and of code that awaits outside of one", () => {
  for (const frame of ["at async file:///f/a.ts:3:5", "at file:///f/a.ts:3:5", "at async Object.script (/f/a.ts:3:5)"])
    assert.equal(callSite(`Error\n    ${frame}`), { file: "/f/a.ts", line: 3, column: 5 }, frame);
});

test("defaultRunFolder() lies in the state folder and carries name and time", () => {
  const now = new Date("2030-01-02T03:04:05.678Z");
  assert.is(defaultRunFolder("boot", now, { XDG_STATE_HOME: "/s" }), "/s/floe/vm-tests/boot/2030-01-02T03-04-05Z");
  assert.is(defaultRunFolder("boot", now, { HOME: "/h" }), "/h/.local/state/floe/vm-tests/boot/2030-01-02T03-04-05Z");
});

test("showSeconds() is short", () => {
  assert.equal([1.234, 42.4, 190].map(showSeconds), ["1.2 s", "42 s", "3 min 10 s"]);
});

test.run();

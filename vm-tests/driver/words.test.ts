import { test } from "uvu";
import * as assert from "uvu/assert";
import { callSite } from "./call-site.ts";
import { checkFailed, checkSucceeded, showCommand } from "./commands.ts";
import { judgeConsoleLine } from "./console-trouble.ts";
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
  const kind = (line: string) => judgeConsoleLine(line)?.kind;
  assert.is(kind("[    1.7] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100"), "fatal");
  assert.is(kind("You are in emergency mode. After logging in, type ..."), "fatal");
  assert.is(kind("BUG: kernel NULL pointer dereference, address: 0000000000000000"), "bad");
  assert.is(kind("Oops: 0002 [#1] PREEMPT SMP"), "bad");
  assert.is(kind("nginx[123]: segfault at 0 ip 00007f error 4"), "bad");
  assert.is(kind("EXT4-fs (vda): recovery complete"), undefined);
  assert.is(kind("[  OK  ] Started Serial Getty on ttyS0."), undefined);
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

test("defaultRunFolder() lies in the state folder and carries name and time", () => {
  const now = new Date("2030-01-02T03:04:05.678Z");
  assert.is(defaultRunFolder("boot", now, { XDG_STATE_HOME: "/s" }), "/s/floe/vm-tests/boot/2030-01-02T03-04-05Z");
  assert.is(defaultRunFolder("boot", now, { HOME: "/h" }), "/h/.local/state/floe/vm-tests/boot/2030-01-02T03-04-05Z");
});

test("showSeconds() is short", () => {
  assert.equal([1.234, 42.4, 190].map(showSeconds), ["1.2 s", "42 s", "3 min 10 s"]);
});

test.run();

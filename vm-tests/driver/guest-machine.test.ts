import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { duplexPair } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { AgentClient } from "./agent-client.ts";
import { DbusConnection } from "./dbus-connection.ts";
import { GuestCalls } from "./guest-calls.ts";
import { GuestMachine } from "./guest-machine.ts";
import { readBy } from "./guest-screen.ts";
import { UNIT_LOOK_MS } from "./guest-units.ts";
import { LineRecorder } from "./line-recorder.ts";
import type { MachineHost } from "./machine-host.ts";
import { checkTroubles } from "./run.ts";
import { ServiceManager } from "./service-manager.ts";
import { compileAgent, HAS_COMPILER, spawnAgent } from "./testing-agent.ts";
import { FakeManager } from "./testing-manager.ts";

// The real agent acts on this host, which may have no systemd: what speaks for one says what a test tells it.
const suite = HAS_COMPILER ? test : test.skip;
const { folder, program } = HAS_COMPILER ? compileAgent() : { folder: "", program: "" };
const bin = join(folder, "bin");

let machines = 0;

function makeMachine() {
  const { child, stream } = spawnAgent(program, { ...process.env, PATH: `${bin}:${process.env["PATH"]}` });
  const agent = new AgentClient(stream, 1);
  const asked: string[] = [];
  const state = { guestSeconds: 0, killed: false, ends: [] as (() => Promise<void>)[], hasScreen: false, asked };
  const qmp = {
    command: async (name: string, words?: Record<string, unknown>) => {
      if (name === "screendump") writeFileSync(`${words?.["filename"]}`, "P6\n2 1\n255\nABCDEF");
      state.asked.push(words === undefined ? name : `${name} ${JSON.stringify(words)}`);
      return name === "query-status" ? { status: "running" } : {};
    },
    waitForEvent: async () => ({}),
  };
  const socket = join(folder, `manager-${machines++}`);
  const units = new FakeManager(socket);
  const ended = new AbortController();
  const boot = {
    agent,
    manager: new ServiceManager(() => agent.connect({ path: socket })),
    console: new LineRecorder(),
    journal: new LineRecorder(),
    // A clock that leaps: what waits looks a few times and is late at once.
    clock: () => ({ wallSeconds: (state.guestSeconds += 5), starvedSeconds: 0 }),
    signal: new AbortController().signal,
    troubles: [],
    ended: ended.signal,
    over: Promise.resolve(),
    expectEnd: () => {},
    lastWords: () => ["its last words"],
    machine: { qmp, process: { exited: new Promise(() => {}), kill: () => (state.killed = true) } },
  };
  const host = {
    name: "machine",
    folder,
    storyFolder: folder,
    systems: { base: "/nix/store/base" },
    calls: new GuestCalls("machine"),
    log: () => {},
    running: true,
    get hasScreen() {
      return state.hasScreen;
    },
    disks: [
      { name: "root", removable: false },
      { name: "data", removable: true },
    ],
    atEnd: (end: () => Promise<void>) => state.ends.push(end),
    forget: () => {},
    current: () => boot,
  } as unknown as MachineHost;
  const stop = (): void => {
    boot.manager.close();
    units.close();
    agent.close();
    child.kill("SIGKILL");
    stream.destroy();
  };
  return { machine: new GuestMachine(host), calls: host.calls, boot, units, ended, state, stop };
}

async function withMachine(body: (made: ReturnType<typeof makeMachine>) => Promise<void>): Promise<void> {
  const made = makeMachine();
  try {
    await body(made);
  } finally {
    made.stop();
  }
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "",
    (error) => error.code,
  );
}

test.before(() => {
  if (!HAS_COMPILER) return;
  mkdirSync(bin);
  fakeProgram("systemctl", "echo a word of systemctl");
});
test.after(() => {
  if (folder !== "") rmSync(folder, { recursive: true, force: true });
});

/** A program that the guest finds first. */
function fakeProgram(name: string, script: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, name), 0o755);
}

const failure = (work: Promise<unknown>): Promise<string> =>
  work.then(String, (error) => `${error.code} ${error.message}`);

suite("succeed, fail and execute run bash with pipefail and carry the story's line", () =>
  withMachine(async ({ machine }) => {
    assert.is(await machine.succeed`echo ${"a  b"}`, "a  b\n");
    assert.is((await machine.execute`exit 5`).status, 5);
    assert.is((await machine.fail`false | cat`).status, 1);
    const error = await machine.succeed`echo no >&2; exit 3`.catch((caught) => caught);
    assert.is(error.code, "command.failed");
    assert.match(error.message, /exit status 3/);
    assert.equal(error.details, ["stderr:", "  no"]);
    assert.match(error.at.file, /guest-machine\.test\.ts$/);
    assert.is(await codeOf(machine.fail`no-such-program-anywhere`), "command.not-run");
  }));

suite("a command that takes too long is killed and shown with what it said", () =>
  withMachine(async ({ machine }) => {
    const error = await machine.within(1).succeed`echo before; sleep 60`.catch((caught) => caught);
    assert.is(error.code, "command.timeout");
    assert.match(error.hint, "within");
  }));

suite("spawn() goes on, and kill() ends what it started", () =>
  withMachine(async ({ machine }) => {
    const running = machine.spawn`sleep 60`;
    running.kill();
    assert.is((await running.result).signal, "SIGKILL");
  }));

/** How many changes of a unit are waited for. */
const CHANGES = 4;

suite("waitForUnit() waits while a job is queued, and is told by systemd when that changes", () =>
  withMachine(async ({ machine, units }) => {
    units.set("the.service", { ActiveState: "inactive", Job: [4, "/job/4"] });
    let looks = 0;
    units.onLook = () =>
      units.set("the.service", { ActiveState: ++looks < CHANGES ? "activating" : "active", SubState: `${looks}` });
    const begin = performance.now();
    await machine.within(1000).waitForUnit("the.service");
    units.onLook = () => {};
    const waitedMs = performance.now() - begin;
    assert.ok(
      waitedMs < CHANGES * UNIT_LOOK_MS,
      `it was told each time, and did not wait for its turns: ${waitedMs} ms`,
    );
    units.set("the.service", { ActiveState: "failed", SubState: "failed" });
    const error = await machine.waitForUnit("the.service").catch((caught) => caught);
    assert.equal([error.code, error.details], ["unit.failed", ["a word of systemctl"]]);
    units.set("the.service", { ActiveState: "inactive" });
    assert.is(await codeOf(machine.waitForUnit("the.service")), "unit.inactive");
    assert.is(await codeOf(machine.waitForUnit("other.service")), "unit.not-found");
  }));

suite("waitForUnit() goes on when systemd runs itself anew, and says what it saw last", () =>
  withMachine(async ({ machine, units }) => {
    units.set("the.service", { ActiveState: "activating", SubState: "start" });
    const waiting = machine.within(1000).waitForUnit("the.service");
    await new Promise((resolve) => setTimeout(resolve, 50));
    units.hangUp();
    units.units.set("the.service", { Id: "the.service", ActiveState: "active" });
    await waiting;
    units.set("slow.service", { ActiveState: "activating", SubState: "start" });
    assert.match(await failure(machine.within(6).waitForUnit("slow.service")), /last seen: activating \(start\)$/);
  }));

suite("unit() gives properties as data and runs jobs", () =>
  withMachine(async ({ machine, units }) => {
    units.set("the.service", { ActiveState: "active", MainPID: 17 });
    const the = machine.unit("the.service");
    assert.equal((await the.properties())["MainPID"], 17);
    assert.is(await the.property("MainPID"), 17);
    assert.is(await codeOf(the.property("MianPID")), "unit.no-property");
    await Promise.all([the.start(), the.stop(), the.restart(), the.reload()]);
    units.endOf = "failed";
    assert.match(await failure(the.start()), /unit\.job-failed .*ended as "failed"$/);
    assert.match(await failure(machine.unit("other.service").start()), /dbus\.refused .*Unit other.service not found/);
    units.set("broken.service", { ActiveState: "failed" });
    assert.equal(await machine.failedUnits(), ["broken.service"]);
  }));

suite("a service manager that speaks nonsense is told apart from a unit that is not there", async () => {
  const [ours, theirs] = duplexPair();
  const connection = new DbusConnection(ours);
  const asked = connection.call({ path: "/", interface: "a.b", member: "C" });
  theirs.write("REJECTED\r\n");
  const error = await asked.catch((caught) => caught);
  assert.is(error.code, "dbus.closed");
  assert.match(error.message, /REJECTED/);
});

suite("waits end with what was seen last", () =>
  withMachine(async ({ machine, boot }) => {
    const seen = (work: Promise<unknown>): Promise<string> =>
      work.then(String, (error) => `${error.code} ${error.message}`);
    assert.match(
      await seen(machine.within(6).waitForFile(join(folder, "nothing"))),
      /^wait\.timeout .*last seen: No such file or directory$/,
    );
    assert.match(await seen(machine.within(6).waitUntilSucceeds`echo hm; exit 1`), /status 1; stdout:; hm$/);
    boot.console.push(Buffer.from("the last line\n"));
    assert.match(await seen(machine.within(6).waitForConsoleText(/never/)), /last seen: the last line$/);
    assert.is(await machine.waitForConsoleText(/last/), "the last line");
    assert.is((await machine.waitUntilFails`exit 9`).status, 9);
  }));

suite("waitForPort() and waitForClosedPort() look at the guest's own loopback", () =>
  withMachine(async ({ machine }) => {
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    await machine.within(100).waitForPort(port);
    assert.is(await codeOf(machine.within(6).waitForClosedPort(port)), "wait.timeout");
    server.close();
    await machine.within(100).waitForClosedPort(port);
  }));

suite("files go both ways", () =>
  withMachine(async ({ machine }) => {
    await machine.writeFile(join(folder, "there"), "text\n");
    assert.is(await machine.readFile(join(folder, "there")), "text\n");
    await machine.copyTo("there", join(folder, "copy"));
    assert.is(readFileSync(await machine.copyFrom(join(folder, "copy"), "back"), "utf8"), "text\n");
    assert.is(await codeOf(machine.readFile(join(folder, "nothing"))), "agent.refused");
  }));

suite("folders go both ways, with modes, links and odd names", () =>
  withMachine(async ({ machine }) => {
    const tree = join(folder, "tree");
    mkdirSync(join(tree, "inner"), { recursive: true });
    writeFileSync(join(tree, "inner", "a\nname"), "text", { mode: 0o755 });
    writeFileSync(join(tree, "empty"), "");
    symlinkSync("inner/a\nname", join(tree, "link"));
    await machine.copyTo("tree", join(folder, "in the guest"));
    const back = await machine.copyFrom(join(folder, "in the guest"), "tree back");
    assert.equal(readdirSync(back, { recursive: true }).sort(), ["empty", "inner", "inner/a\nname", "link"]);
    assert.is(readFileSync(join(back, "link"), "utf8"), "text");
    assert.is(statSync(join(back, "inner", "a\nname")).mode & 0o777, 0o755);
    assert.is(await codeOf(machine.copyFrom(join(folder, "nothing"))), "agent.refused");
    assert.is(await codeOf(machine.copyTo("nothing", "there")), "machine.no-file");
  }));

suite("fetch(), waitForUrl(), connect() and forwardPort() reach what listens in the guest", () =>
  withMachine(async ({ machine, state }) => {
    let asked = 0;
    const server = createHttpServer((request, response) => {
      response.statusCode = asked++ === 0 ? 503 : 200;
      response.end(`${request.method} ${request.url} ${request.headers.host}`);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const answer = await machine.within(100).waitForUrl(`http://localhost:${port}/a?b`, { headers: { host: "named" } });
    assert.equal([answer.status, answer.body], [200, "GET /a?b named"]);
    assert.match(
      await failure(machine.within(6).waitForUrl(`http://127.0.0.1:${port}/`, { status: 404 })),
      /last seen: status 200$/,
    );
    assert.is(await codeOf(machine.fetch("ftp://127.0.0.1/")), "http.bad-url");
    const forwarded = await machine.forwardPort(port);
    const body = await (await fetch(`http://${forwarded.host}:${forwarded.port}/x`, { method: "POST" })).text();
    assert.match(body, /^POST \/x /);
    assert.is(state.ends.length, 1);
    await forwarded.close();
    assert.is(await codeOf(fetch(`http://127.0.0.1:${forwarded.port}/`)), undefined);
    const raw = await machine.connect(port);
    raw.write("nonsense\r\n\r\n");
    const parts: Uint8Array[] = [];
    for await (const part of raw) parts.push(part);
    assert.match(Buffer.concat(parts).toString(), /^HTTP\/1.1 400/);
    server.closeAllConnections();
    server.close();
    const talker = createServer((socket) => socket.end("nothing of HTTP\n"));
    await new Promise<void>((resolve) => talker.listen(0, "127.0.0.1", resolve));
    const other = (talker.address() as { port: number }).port;
    assert.is(await codeOf(machine.fetch(`http://127.0.0.1:${other}/`)), "http.failed");
    talker.close();
  }));

suite("waits for paths, sockets and processes are the agent's", () =>
  withMachine(async ({ machine }) => {
    const long = machine.within(1000);
    const path = join(folder, "to come");
    const there = long.waitForPath(path, { type: "directory" });
    mkdirSync(path);
    await there;
    const gone = long.waitForPath(path, { gone: true });
    rmSync(path, { recursive: true });
    await gone;
    const server = createServer().listen(join(folder, "a socket"));
    await long.waitForSocket(join(folder, "a socket"));
    server.close();
    const running = machine.spawn`sleep 61.25`;
    await long.waitForProcess("sleep 61.25");
    running.kill();
    await long.waitForProcess("sleep 61.25", { gone: true });
    assert.match(await failure(machine.within(6).waitForProcess("no such thing 1")), /last seen: no process has/);
  }));

suite("consoleLines() and journalLines() give what was and what comes, to the end of the boot", () =>
  withMachine(async ({ machine, boot, ended }) => {
    boot.console.push(Buffer.from("one\ntwo"));
    const lines: string[] = [];
    const reading = (async () => {
      for await (const line of machine.consoleLines()) lines.push(line);
    })();
    await new Promise((resolve) => setTimeout(resolve, 5));
    boot.console.push(Buffer.from(" and a half\nthree\n"));
    await new Promise((resolve) => setTimeout(resolve, 5));
    ended.abort();
    await reading;
    assert.equal(lines, ["one", "two and a half", "three"]);
    // A prompt is a line that does not end.
    setTimeout(() => boot.console.push(Buffer.from("login: ")), 5);
    assert.is(await machine.within(1000).waitForConsoleText(/login: $/), "login: ");
    for await (const line of machine.journalLines()) assert.unreachable(line);
  }));

suite("commands run as a user", () =>
  withMachine(async ({ machine }) => {
    if (process.getuid?.() !== 0) return void console.log("skipped: only root can run a command as another user");
    assert.is(await machine.as("nobody").within(100).succeed`id -un`, "nobody\n");
  }));

suite("useMemory() holds memory until it is released, and says why it cannot", () =>
  withMachine(async ({ machine }) => {
    const hold = await machine.useMemory(3);
    await machine.within(1000).waitForProcess("--hold 3");
    await hold.release();
    await machine.within(1000).waitForProcess("--hold 3", { gone: true });
    assert.match(await failure(machine.useMemory(1 << 30)), /machine\.no-memory .*Cannot allocate memory/i);
  }));

suite("what a machine does not have is told by name", () =>
  withMachine(async ({ machine }) => {
    assert.is(await codeOf(machine.screen.type("a")), "machine.no-screen");
    assert.throws(
      () => machine.disk("date"),
      (error: { code: string }) => error.code === "machine.no-disk",
    );
    assert.is(await codeOf(machine.disk("root").break()), "machine.fixed-disk");
    assert.is(machine.disk("root").path, "/dev/vda");
  }));

suite("disk() asks QEMU for faults by the names its disks have there", () =>
  withMachine(async ({ machine, state }) => {
    const data = machine.disk("data");
    assert.is(data.path, "/dev/vdb");
    await data.slow({ bytesPerSecond: 1000 });
    await data.break("writes");
    await data.heal();
    await data.detach();
    await machine.disk("root").slow({});
    const names = state.asked.map((line) => line.split(" ")[0]);
    const calls = ["blockdev-add", "blockdev-reopen", "blockdev-reopen", "blockdev-del", "device_del"];
    assert.equal(names, ["block_set_io_throttle", ...calls, "block_set_io_throttle"]);
    assert.match(state.asked[0] ?? "", /"id":"\/machine\/peripheral\/disk1-device\/virtio-backend","bps":1000,/);
    assert.match(
      state.asked[1] ?? "",
      /"image":"disk1-file","inject-error":\[\{"event":"none","iotype":"write","errno":5,/,
    );
    assert.match(state.asked[2] ?? "", /"file":"disk1-broken"/);
    assert.match(state.asked[3] ?? "", /"file":"disk1-file"/);
    assert.is(state.asked[5], 'device_del {"id":"disk1-device"}');
    assert.match(state.asked[6] ?? "", /"device":"disk0"/);
  }));

suite("fill() leaves what it is told to, and takes its filling away", () =>
  withMachine(async ({ machine }) => {
    // Its own dd, so that no disk of this host is filled.
    fakeProgram(
      "dd",
      'for word; do case $word in of=*) head -c 100000 /dev/zero > "${word#of=}" ;; esac; done; exit 1',
    );
    const place = join(folder, "a place");
    mkdirSync(place);
    const empty = await machine.within(1000).disk("root").fill(`${place}/`, 10);
    assert.is(statSync(join(place, ".floe-filling")).size, 100000 - 10 * 1024);
    await empty();
    assert.equal(readdirSync(place), []);
  }));

suite("screen gives text, keys and pictures, and says what is missing", () =>
  withMachine(async ({ machine, state }) => {
    state.hasScreen = true;
    fakeProgram("cat", `[ "$1" = /dev/vcsa2 ] || exit 1; printf '\\002\\004\\000\\000l.o. . .o.k. . .'`);
    assert.is(await machine.screen.text(2), "lo\nok\n");
    assert.is(await machine.within(100).screen.waitForText(/^o/, 2), "ok");
    assert.is(await codeOf(machine.screen.text(1)), "screen.no-text");
    await machine.screen.press("ctrl-alt-delete");
    await machine.screen.type("A\n");
    const keys = state.asked.map((line) => [...line.matchAll(/"data":"(\w+)"/g)].map(([, key]) => key).join("+"));
    assert.equal(keys, ["ctrl+alt+delete", "shift+a", "ret"]);
    assert.match(await machine.screen.screenshot("first"), /files\/first\.png$/);
    const path = process.env["PATH"];
    process.env["PATH"] = "/nowhere";
    assert.is(await codeOf(machine.screen.readPicture()), "screen.no-ocr");
    process.env["PATH"] = `${bin}:${path}`;
    fakeProgram("tesseract", 'head -n 2 "$1" | tail -n 1; echo WORDS IN A PICTURE');
    assert.match(await machine.within(100).screen.waitForPicture("IN A"), /^4 2\nWORDS/);
    process.env["PATH"] = path;
  }));

suite("a machine that nothing could wake is not put to sleep", () =>
  withMachine(async ({ machine }) => assert.is(await codeOf(machine.suspend()), "machine.no-sleep")));

suite("a machine that is awake is not woken", () =>
  withMachine(async ({ machine }) => assert.is(await codeOf(machine.wake()), "machine.not-asleep")));

suite("a command nobody waits for is told of with its line, a failed one too", () =>
  withMachine(async ({ machine, calls }) => {
    await machine.succeed`true`;
    await Promise.all([machine.succeed`true`, machine.execute`false`]);
    await (async () => machine.succeed`true`)();
    calls.checkAwaited();
    void machine.succeed`false`;
    void machine.waitForFile("/");
    await machine.succeed`true`;
    const error = (() => {
      try {
        return calls.checkAwaited();
      } catch (caught) {
        return caught;
      }
    })() as { code: string; message: string; at: { file: string }; details: string[] };
    assert.is(error.code, "story.not-awaited");
    assert.match(error.message, /nobody waits for "false"/);
    assert.match(error.at.file, /guest-machine\.test\.ts$/);
    assert.match(error.details[0] ?? "", /waitForPath/);
  }));

suite("readBy() gives what the program reads, or its words", async () => {
  fakeProgram("reader", 'if [ -e "$1" ]; then cat "$1"; else echo "no picture" >&2; exit 3; fi');
  const picture = join(folder, "picture");
  writeFileSync(picture, "A WORD\n");
  const { signal } = new AbortController();
  assert.is(await readBy(join(bin, "reader"), picture, signal), "A WORD\n");
  assert.match(
    await failure(readBy(join(bin, "reader"), `${picture}-not`, signal)),
    /screen\.ocr-failed .*: no picture$/,
  );
  assert.match(await failure(readBy(join(bin, "no-reader"), picture, signal)), /screen\.ocr-failed .* ENOENT$/);
});

/** A reader that never ends, and waits until it is gone. */
function endlessReader(name: string) {
  const file = join(folder, `${name}.pid`);
  fakeProgram(name, `echo $$ > "${file}.new"; mv "${file}.new" "${file}"; exec sleep 1000`);
  const pid = (): number => Number(readFileSync(file, "ascii"));
  return {
    begun: async () => {
      while (!existsSync(file)) await sleep(5);
    },
    gone: async () => {
      while (existsSync(`/proc/${pid()}`)) await sleep(5);
    },
  };
}

suite("readBy() ends its program with the signal, and has the signal's reason", async () => {
  const reader = endlessReader("slow-reader");
  const boot = new AbortController();
  const reading = readBy(join(bin, "slow-reader"), join(folder, "picture"), boot.signal).catch((caught) => caught);
  await reader.begun();
  const died = new Error("QEMU died");
  boot.abort(died);
  assert.is(await reading, died);
  await reader.gone();
});

suite("screen.readPicture() is given the time of a command, and its program no more", () =>
  withMachine(async ({ machine, state }) => {
    state.hasScreen = true;
    const reader = endlessReader("tesseract");
    const path = process.env["PATH"];
    process.env["PATH"] = bin;
    const late = codeOf(machine.within(1e6).screen.readPicture());
    process.env["PATH"] = path;
    await Promise.race([reader.begun(), late]);
    state.guestSeconds += 1e6;
    assert.is(await late, "command.timeout");
    await reader.gone();
  }));

suite("a machine that does not power off is killed", () =>
  withMachine(async ({ machine, state }) => {
    const error = await machine
      .within(1)
      .shutdown()
      .catch((caught) => caught);
    assert.is(error.code, "machine.does-not-stop");
    assert.equal(error.details, ["its last words"]);
    assert.is(state.killed, true);
  }));

suite("a machine is not started twice, and its profile has to be one", () =>
  withMachine(async ({ machine }) => {
    assert.is(await codeOf(machine.start()), "machine.running");
    fakeProgram("readlink", "echo elsewhere");
    assert.is(await codeOf(machine.defaultGeneration()), "machine.bad-profile");
  }));

test("checkTroubles() fails for what a kernel complained about, unless the story allows it", () => {
  const at = { file: "/story.ts", line: 3, column: 1 };
  const trouble = { kind: "bad", code: "machine.kernel-oops", line: "BUG: something", at } as const;
  const hosts = [{ name: "machine", troubles: () => [trouble] }];
  assert.throws(
    () => checkTroubles(hosts, []),
    (error: { code: string; at: object }) => error.code === "machine.kernel-oops" && error.at === at,
  );
  checkTroubles(hosts, [/something/]);
});

test.run();

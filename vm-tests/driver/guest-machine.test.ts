import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { AgentClient } from "./agent-client.ts";
import { GuestMachine } from "./guest-machine.ts";
import { LineRecorder } from "./line-recorder.ts";
import type { MachineHost } from "./machine-host.ts";
import { checkConsoles } from "./run.ts";
import { compileAgent, HAS_COMPILER, spawnAgent } from "./testing-agent.ts";

// The real agent acts on this host; `systemctl` is a script that reads what to say from a file.
const suite = HAS_COMPILER ? test : test.skip;
const { folder, program } = HAS_COMPILER ? compileAgent() : { folder: "", program: "" };
const bin = join(folder, "bin");
const says = join(folder, "says");

function makeMachine() {
  const { child, stream } = spawnAgent(program, { ...process.env, PATH: `${bin}:${process.env["PATH"]}` });
  const agent = new AgentClient(stream, 1);
  const state = { guestSeconds: 0, killed: false };
  const boot = {
    agent,
    console: new LineRecorder(),
    journal: new LineRecorder(),
    // A clock that leaps: what waits looks a few times and is late at once.
    clock: () => ({ wallSeconds: (state.guestSeconds += 5), starvedSeconds: 0 }),
    signal: new AbortController().signal,
    expectEnd: () => {},
    lastWords: () => ["its last words"],
    machine: { process: { exited: new Promise(() => {}), kill: () => (state.killed = true) } },
  };
  const host = {
    name: "machine",
    folder,
    storyFolder: folder,
    systems: { base: "/nix/store/base" },
    log: () => {},
    running: true,
    current: () => boot,
  } as unknown as MachineHost;
  const stop = (): void => {
    agent.close();
    child.kill("SIGKILL");
    stream.destroy();
  };
  return { machine: new GuestMachine(host), boot, state, stop };
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
  writeFileSync(join(bin, "systemctl"), `#!/bin/sh\ncat '${says}'\n`);
  chmodSync(join(bin, "systemctl"), 0o755);
  writeFileSync(says, "");
});
test.after(() => {
  if (folder !== "") rmSync(folder, { recursive: true, force: true });
});

const unit = (active: string, job = "") =>
  writeFileSync(says, `LoadState=loaded\nActiveState=${active}\nSubState=x\n${job}Description=The Unit\n`);

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

suite("waitForUnit() waits while a job is queued, and looks again when the journal speaks", () =>
  withMachine(async ({ machine, boot }) => {
    unit("inactive", "Job=4\n");
    setTimeout(() => {
      unit("active");
      boot.journal.push(Buffer.from("[ 1.0] systemd[1]: Started The Unit.\n"));
    }, 50);
    const begin = performance.now();
    await machine.within(1000).waitForUnit("the.service");
    assert.ok(performance.now() - begin < 2500, "it was told, and did not wait for its turn to look");
    unit("failed");
    assert.is(await codeOf(machine.waitForUnit("the.service")), "unit.failed");
    unit("inactive");
    assert.is(await codeOf(machine.waitForUnit("the.service")), "unit.inactive");
  }));

suite("waits end with what was seen last", () =>
  withMachine(async ({ machine, boot }) => {
    const seen = (work: Promise<unknown>): Promise<string> =>
      work.then(String, (error) => `${error.code} ${error.message}`);
    assert.match(
      await seen(machine.within(6).waitForFile(join(folder, "nothing"))),
      /^wait\.timeout .*last seen: no such file$/,
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

suite("failedUnits() gives names", () =>
  withMachine(async ({ machine }) => {
    writeFileSync(says, "a.service loaded failed failed A\nb.mount loaded failed failed B\n");
    assert.equal(await machine.failedUnits(), ["a.service", "b.mount"]);
    writeFileSync(says, "");
    assert.equal(await machine.failedUnits(), []);
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
    writeFileSync(join(bin, "readlink"), "#!/bin/sh\necho elsewhere\n");
    chmodSync(join(bin, "readlink"), 0o755);
    assert.is(await codeOf(machine.defaultGeneration()), "machine.bad-profile");
  }));

test("checkConsoles() fails for what a kernel complained about, unless the story allows it", () => {
  const hosts = [{ name: "machine", troubles: () => [{ kind: "bad" as const, line: "BUG: something" }] }];
  assert.throws(
    () => checkConsoles(hosts, []),
    (error: { code: string }) => error.code === "machine.console-trouble",
  );
  checkConsoles(hosts, [/something/]);
});

test.run();

import { createHash, randomBytes } from "node:crypto";
import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Duplex, duplexPair } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { AgentClient } from "./agent-client.ts";
import { encodeFrame, FRAME, SYNC } from "./agent-protocol.ts";
import { compileAgent, HAS_COMPILER, spawnAgent } from "./testing-agent.ts";

// The agent of the guests, compiled for the host and spoken to over a socket pair in place of a virtio port.
const { folder, program, words } = HAS_COMPILER ? compileAgent() : { folder: "", program: "", words: "" };
const suite = HAS_COMPILER ? test : test.skip;

const open: { stop(): void }[] = [];

function startAgent(epoch = 1): { client: AgentClient; stream: Duplex; pid: number } {
  const { child, stream } = spawnAgent(program);
  const client = new AgentClient(stream, epoch);
  const stop = (): void => {
    client.close();
    child.kill("SIGKILL");
    stream.destroy();
  };
  open.push({ stop });
  return { client, stream, pid: child.pid ?? 0 };
}

async function run(client: AgentClient, command: string, stdin?: string | Uint8Array) {
  return client.exec(["sh", "-c", command], stdin === undefined ? {} : { stdin }).result;
}

const digest = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");

test.after.each(() => {
  for (const agent of open.splice(0)) agent.stop();
});
test.after(() => {
  if (folder !== "") rmSync(folder, { recursive: true, force: true });
});

suite("the agent compiles without a word", () => assert.is(words, ""));

test("an agent that was restarted fails what ran, and is greeted anew", async () => {
  const [ours, theirs] = duplexPair();
  const hello = (epoch: number) =>
    theirs.write(Buffer.concat([SYNC, encodeFrame(FRAME.hello, 0, Buffer.from(`version=1\nepoch=${epoch}\n`))]));
  let restarts = 0;
  const client = new AgentClient(ours, 7, { onRestart: () => restarts++ });
  hello(0);
  hello(7);
  await client.hello;
  const execution = client.exec(["true"]);
  hello(0);
  const error = await execution.result.catch((caught) => caught);
  assert.is(error.code, "agent.restarted");
  assert.is(restarts, 1);
  client.close();
});

suite("hello carries the boot id", async () => {
  const { client } = startAgent();
  const hello = await client.hello;
  assert.is(hello.version, "1");
  if (existsSync("/proc/sys/kernel/random/boot_id")) {
    assert.is(hello.bootId, readFileSync("/proc/sys/kernel/random/boot_id", "ascii").trim());
  }
});

suite("exec() keeps output, errors, status and signal apart", async () => {
  const { client } = startAgent();
  const result = await run(client, "printf 'a\\000b'; printf oops >&2; exit 7");
  assert.equal([...result.stdout], [0x61, 0, 0x62]);
  assert.is(result.stderr.toString(), "oops");
  assert.is(result.status, 7);
  const killed = await run(client, "kill -TERM $$");
  assert.equal([killed.status, killed.signal], [143, "SIGTERM"]);
});

suite("exec() passes environment and directory, and says when there is no program", async () => {
  const { client } = startAgent();
  const result = await client.exec(["sh", "-c", "echo $WORD; pwd"], { environment: { WORD: "a b" }, directory: "/" })
    .result;
  assert.is(result.stdout.toString(), "a b\n/\n");
  const missing = await client.exec(["/there/is/nothing"]).result;
  assert.equal([missing.status, missing.notStarted], [127, "no such program"]);
  const nowhere = await client.exec(["sh"], { directory: "/there/is/nothing" }).result;
  assert.is(nowhere.status, 127);
});

suite("a child that keeps the output open does not hang its command", async () => {
  const { client } = startAgent();
  const begin = performance.now();
  const result = await run(client, "echo here; sleep 3 & exit 0");
  assert.is(result.stdout.toString(), "here\n");
  assert.is(result.outputHeldOpen, true);
  assert.ok(performance.now() - begin < 2000);
});

suite("50 commands run at the same time", async () => {
  const { client } = startAgent();
  const begin = performance.now();
  const results = await Promise.all(
    Array.from({ length: 50 }, (_, index) => run(client, `sleep 0.3; echo ${index}; echo ${index} >&2`)),
  );
  assert.equal(
    results.map(({ stdout }) => Number(stdout)),
    Array.from({ length: 50 }, (_, index) => index),
  );
  assert.equal(
    results.map(({ stderr }) => Number(stderr)),
    Array.from({ length: 50 }, (_, index) => index),
  );
  assert.ok(performance.now() - begin < 10_000);
});

suite("megabytes pass through standard input and output unchanged", async () => {
  const { client } = startAgent();
  const data = randomBytes(5_000_000);
  const result = await client.exec(["cat"], { stdin: data }).result;
  assert.is(digest(result.stdout), digest(data));
  // A command that reads nothing must not hang its sender.
  assert.is((await client.exec(["true"], { stdin: data }).result).status, 0);
});

suite("kill() ends a command with all it started", async () => {
  const { client } = startAgent();
  const execution = client.exec(["sh", "-c", "sleep 60 | sleep 60"]);
  await sleep(100);
  execution.kill();
  assert.equal((await execution.result).signal, "SIGKILL");
  const controller = new AbortController();
  const aborted = client.exec(["sleep", "60"], { signal: controller.signal });
  controller.abort();
  assert.is((await aborted.result).signal, "SIGKILL");
});

suite("put() and get() carry a file with its mode, whole or not at all", async () => {
  const { client } = startAgent();
  const data = randomBytes(3_000_000);
  const path = join(folder, "a file");
  await client.put(path, data, 0o640);
  assert.is(digest(readFileSync(path)), digest(data));
  assert.is(statSync(path).mode & 0o777, 0o640);
  const back = await client.get(path);
  assert.equal([digest(back.data), back.mode], [digest(data), 0o640]);
  const attempts = [
    () => client.get(join(folder, "nothing")),
    () => client.get(folder),
    () => client.put("/no/such/folder/file", data),
  ];
  for (const attempt of attempts) {
    const error = await attempt().then(
      () => undefined,
      (caught) => caught,
    );
    assert.is(error?.code, "agent.refused");
  }
});

suite("ping() takes no process", async () => {
  const { client } = startAgent();
  await client.hello;
  for (let round = 0; round < 200; round++) await client.ping();
});

suite("a new epoch ends what the old one started, and framing recovers from garbage", async () => {
  const { client, stream } = startAgent(1);
  await client.hello;
  const mark = join(folder, "mark");
  const old = client.exec(["sh", "-c", `sleep 1; touch '${mark}'`]);
  old.result.catch(() => {});
  await sleep(100);
  client.close();
  stream.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3]));
  const next = new AgentClient(stream, 2);
  await next.hello;
  assert.is((await next.exec(["echo", "new"]).result).stdout.toString(), "new\n");
  await sleep(1100);
  assert.is(existsSync(mark), false);
});

suite("a stream that closes fails what is running with agent.closed", async () => {
  const { client, pid } = startAgent();
  await client.hello;
  const execution = client.exec(["sleep", "60"]);
  process.kill(pid, "SIGKILL");
  const error = await execution.result.then(
    () => undefined,
    (caught) => caught,
  );
  assert.is(error?.code, "agent.closed");
});

test.run();

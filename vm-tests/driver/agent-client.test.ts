import { createHash, randomBytes } from "node:crypto";
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { type Duplex, duplexPair } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { AgentClient } from "./agent-client.ts";
import type { ExecOptions } from "./agent-exec.ts";
import { encodeFrame, FRAME, SYNC } from "./agent-protocol.ts";
import { compileAgent, HAS_COMPILER, spawnAgent } from "./testing-agent.ts";

// The agent of the guests, compiled for the host and spoken to over a socket pair in place of a virtio port.
const { folder, program, words } = HAS_COMPILER ? compileAgent() : { folder: "", program: "", words: "" };
const suite = HAS_COMPILER ? test : test.skip;

const open: { stop(): void }[] = [];

function startAgent(epoch = 1, env?: Record<string, string>): { client: AgentClient; stream: Duplex; pid: number } {
  const { child, stream } = spawnAgent(program, env);
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

/** How it failed; empty when it did not. */
function wordsOf(work: Promise<unknown>): Promise<string> {
  return work.then(() => "", String);
}

async function until(so: () => boolean): Promise<void> {
  for (const end = performance.now() + 10_000; !so() && performance.now() < end; ) await sleep(5);
  assert.ok(so(), "it never came to be");
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
    theirs.write(Buffer.concat([SYNC, encodeFrame(FRAME.hello, 0, Buffer.from(`version=2\nepoch=${epoch}\n`))]));
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
  assert.is(hello.version, "2");
  assert.match(hello.nonce, /^[0-9a-f]{16}$/);
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

suite("a command has variables as ordered, as its user has them, and as the agent does, in this order", async () => {
  const { client } = startAgent(1, { PATH: process.env["PATH"] ?? "", WORD: "the agent's", HOME: "/agent" });
  const ask = async (options: ExecOptions): Promise<string> =>
    (await client.exec(["sh", "-c", 'echo "$WORD|$HOME|$EMPTY-"'], options).result).stdout.toString();
  assert.is(await ask({ environment: { WORD: "ordered", EMPTY: "" } }), "ordered|/agent|-\n");
  assert.is(await ask({}), "the agent's|/agent|-\n");
  const shell = spawnSync("sh", ["-c", "getent passwd $(id -u) | cut -d: -f7"], { encoding: "utf8" }).stdout;
  assert.is((await client.exec(["printenv", "SHELL"]).result).stdout.toString(), shell);
  if (process.getuid?.() === 0) {
    const environment = { HOME: "/ordered" };
    assert.is(await ask({ user: "nobody", environment }), "the agent's|/ordered|-\n");
    assert.is.not(await ask({ user: "nobody" }), "the agent's|/agent|-\n");
  }
  const words = await client.exec(["env"], { environment: { HOME: "/once", WORD: "once" } }).result;
  const names = words.stdout.toString().match(/^\w+(?==)/gm) ?? [];
  assert.is(new Set(names).size, names.length);
});

suite("memory that runs out may end a command, whatever the agent is spared", async () => {
  const { client, pid } = startAgent();
  const ofAgent = `/proc/${pid}/oom_score_adj`;
  if (!existsSync(ofAgent)) return void console.log("skipped: this host has no such scores");
  writeFileSync(ofAgent, "300");
  assert.is((await run(client, "cat /proc/self/oom_score_adj")).stdout.toString(), "0\n");
  assert.is(readFileSync(ofAgent, "ascii"), "300\n");
});

suite("a program is looked for on the path that it is ordered to have", async () => {
  const { client } = startAgent();
  const bin = join(folder, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "only-here"), "#!/bin/sh\necho found\n", { mode: 0o755 });
  const PATH = `${bin}:${process.env["PATH"]}`;
  assert.is((await client.exec(["only-here"], { environment: { PATH } }).result).stdout.toString(), "found\n");
  assert.is((await client.exec(["only-here"]).result).notStarted, "no such program");
});

suite("a child that keeps the output open does not hang its command", async () => {
  const { client } = startAgent();
  const begin = performance.now();
  const result = await run(client, "echo here; sleep 60 & exit 0");
  assert.is(result.stdout.toString(), "here\n");
  assert.is(result.outputHeldOpen, true);
  assert.ok(performance.now() - begin < 30_000);
});

suite("50 commands run at the same time", async () => {
  const { client } = startAgent();
  // None ends before all have begun: each waits for a line, and those are written when the last one waits.
  const gate = join(folder, "gate");
  execFileSync("mkfifo", [gate]);
  const all = Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      run(client, `touch '${gate}-${index}'; read go < '${gate}'; echo ${index}; echo ${index} >&2`),
    ),
  );
  await until(() => Array.from({ length: 50 }, (_, index) => existsSync(`${gate}-${index}`)).every(Boolean));
  const opened = openSync(gate, "r+");
  writeSync(opened, "\n".repeat(50));
  const results = await all;
  closeSync(opened);
  assert.equal(
    results.map(({ stdout }) => Number(stdout)),
    Array.from({ length: 50 }, (_, index) => index),
  );
  assert.equal(
    results.map(({ stderr }) => Number(stderr)),
    Array.from({ length: 50 }, (_, index) => index),
  );
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

suite("put() and getTo() keep holes, and a source that fails leaves nothing", async () => {
  const { client } = startAgent();
  const size = 40 << 20;
  async function* sparse() {
    yield Buffer.from("begin");
    for (let at = 5; at < size; at += 1 << 20) yield Buffer.alloc(Math.min(1 << 20, size - at));
  }
  const path = join(folder, "sparse");
  await client.put(path, sparse());
  const { size: found, blocks } = statSync(path);
  assert.is(found, size);
  assert.ok(blocks * 512 < 1 << 20, `${blocks} blocks are taken`);
  let [data, hole] = [0, 0];
  await client.getTo(path, { data: (bytes) => (data += bytes.length), hole: (sizeBytes) => (hole += sizeBytes) });
  assert.is(data + hole, size);
  assert.ok(hole > size / 2);
  async function* broken() {
    yield Buffer.from("begin");
    throw new Error("the source is gone");
  }
  const never = join(folder, "never");
  assert.match(await wordsOf(client.put(never, broken())), /the source is gone/);
  await client.ping();
  assert.equal(
    readdirSync(folder).filter((name) => name.startsWith("never")),
    [],
  );
});

suite("getTo() passes on what its sink throws, and the agent goes on", async () => {
  const { client } = startAgent();
  const path = join(folder, "for the sink");
  await client.put(path, randomBytes(2_000_000));
  const refuse = () => {
    throw new Error("the disk is full");
  };
  assert.match(await wordsOf(client.getTo(path, { data: refuse, hole: refuse })), /the disk is full/);
  await client.ping();
});

suite("files of /proc are read although they have no size", async () => {
  const { client } = startAgent();
  assert.match((await client.get("/proc/self/status")).data.toString(), /floe-agent/);
});

suite("exec() gives a terminal of that size, and takes what is typed", async () => {
  const { client } = startAgent();
  let shown = "";
  const execution = client.exec(
    ["sh", "-c", "stty size; read word; echo got $word; stty size; read end || echo the end"],
    {
      terminal: { rows: 33, columns: 101 },
      stdin: "open",
      onOutput: (_stream, data) => void (shown += data),
    },
  );
  await until(() => shown.includes("101"));
  execution.resize(44, 99);
  execution.write("a word\n");
  await until(() => shown.includes("44 99"));
  execution.end();
  const { stdout, status } = await execution.result;
  assert.match(stdout.toString(), /^33 101\r\na word\r\ngot a word\r\n44 99\r\n/);
  assert.match(stdout.toString(), /the end/);
  assert.is(status, 0);
});

suite("exec() runs as a user with that user's groups and home, and says when there is none", async () => {
  const { client } = startAgent();
  const unknown = await client.exec(["true"], { user: "no-such-user-anywhere" }).result;
  assert.equal([unknown.status, unknown.notStarted], [126, "no such user"]);
  const self = process.getuid?.() ?? 0;
  if (self !== 0) return void console.log("skipped: only root can run a command as another user");
  const nobody = await client.exec(["sh", "-c", "id -u; id -G; echo $USER; echo $HOME"], { user: "nobody" }).result;
  const expected = spawnSync("sh", ["-c", "id -u nobody; id -G nobody; echo nobody; eval echo ~nobody"], {
    encoding: "utf8",
  });
  assert.is(nobody.stdout.toString(), expected.stdout);
  assert.is((await client.exec(["id", "-u"], { user: "54321" }).result).stdout.toString(), "54321\n");
});

suite("connect() carries a connection both ways, whatever its size, to its end", async () => {
  const { client } = startAgent();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.pipe(createHash("sha256")).on("data", (hash: Buffer) => {
      socket.write(hash);
      socket.end(answer);
    });
  });
  const answer = randomBytes(3_000_000);
  const path = join(folder, "socket");
  server.listen(path);
  await once(server, "listening");
  const data = randomBytes(5_000_000);
  const connection = await client.connect({ path });
  connection.end(data);
  const parts: Buffer[] = [];
  for await (const part of connection) {
    parts.push(part);
    // Slower than what comes: the guest must wait for its reader.
    if (parts.length % 10 === 0) await sleep(2);
  }
  const all = Buffer.concat(parts);
  assert.is(all.subarray(0, 32).toString("hex"), digest(data));
  assert.is(digest(all.subarray(32)), digest(answer));
  server.close();
  for (const to of [{ path }, { address: "127.0.0.1", port: 1 }, { address: "not an address", port: 80 }]) {
    const error = await client.connect(to).catch((caught) => caught);
    assert.is(error.code, "agent.refused");
  }
});

suite("a connection that is destroyed on the host ends in the guest", async () => {
  const { client } = startAgent();
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection");
  const { port } = server.address() as { port: number };
  const connection = await client.connect({ address: "127.0.0.1", port });
  const [socket] = (await accepted) as [Socket];
  socket.on("error", () => {});
  socket.resume();
  connection.destroy();
  await once(socket, "close");
  server.close();
});

suite("watch() tells when a path, a port, a socket or a process is there or gone, and what is so until then", async () => {
  const { client } = startAgent();
  const seen: string[] = [];
  const onSeen = (words: string) => void seen.push(words);
  const path = join(folder, "deep", "er", "file");
  const there = client.watch({ kind: "path", path, type: "file" }, { onSeen });
  await client.ping();
  mkdirSync(path, { recursive: true });
  await until(() => seen.length === 2);
  rmSync(path, { recursive: true });
  await until(() => seen.length === 3);
  writeFileSync(path, "");
  await there;
  assert.equal(seen, ["No such file or directory", "a directory is there", "No such file or directory"]);
  const gone = client.watch({ kind: "path", path }, { gone: true });
  rmSync(path);
  await gone;

  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  await client.watch({ kind: "tcp", port, address: "127.0.0.1" });
  const closed = client.watch({ kind: "tcp", port, address: "127.0.0.1" }, { gone: true });
  const stop = new AbortController();
  const elsewhere = client.watch({ kind: "tcp", port, address: "127.0.0.2" }, { onSeen, signal: stop.signal });
  // What fails before they end must not leave them to fail unheard.
  for (const watch of [closed, elsewhere]) watch.catch(() => {});
  await until(() => seen.at(-1) === "the port is open at another address only");
  stop.abort(new Error("enough"));
  assert.match(await wordsOf(elsewhere), /enough/);
  server.close();
  await closed;

  const unix = createServer();
  const socket = client.watch({ kind: "unix", path: join(folder, "listener") });
  unix.listen(join(folder, "listener"));
  await socket;
  unix.close();

  const process = client.watch({ kind: "process", text: "sleep 61.5" });
  const execution = client.exec(["sleep", "61.5"]);
  await process;
  execution.kill();
  await client.watch({ kind: "process", text: "sleep 61.5" }, { gone: true });
  const nonsense = await client.watch({ kind: "path", path: "not/absolute" }).catch((caught) => caught);
  assert.is(nonsense.code, "agent.refused");
});

test("an agent of another version is refused by name", async () => {
  const [ours, theirs] = duplexPair();
  const client = new AgentClient(ours, 3);
  theirs.write(Buffer.concat([SYNC, encodeFrame(FRAME.hello, 0, Buffer.from("version=1\nepoch=3\n"))]));
  const error = await client.hello.catch((caught) => caught);
  assert.is(error.code, "agent.other-version");
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
  const old = client.exec(["sh", "-c", `sleep 63.5; touch '${mark}'`]);
  old.result.catch(() => {});
  await client.watch({ kind: "process", text: "sleep 63.5" });
  client.close();
  stream.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3]));
  const next = new AgentClient(stream, 2);
  await next.hello;
  assert.is((await next.exec(["echo", "new"]).result).stdout.toString(), "new\n");
  await next.watch({ kind: "process", text: "sleep 63.5" }, { gone: true });
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

import { createHash, randomBytes } from "node:crypto";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { AgentClient } from "./agent-client.ts";
import { spawnAgent } from "./testing-agent.ts";

// The agent in bash, run by this host's own and spoken to over a socket pair in place of a virtio port.
const PROGRAM = fileURLToPath(new URL("../../pkgs/by-name/fl/floe-agent-bash/floe-agent.bash", import.meta.url));
const major = Number(/version (\d+)/.exec(spawnSync("bash", ["--version"], { encoding: "utf8" }).stdout ?? "")?.[1]);
const suite = process.platform === "linux" && major >= 5 ? test : test.skip;
if (suite !== test) console.log("skipped what needs Linux and bash 5");

const folder = mkdtempSync(join(tmpdir(), "floe-agent-bash-"));
const digest = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");

async function withAgent(
  body: (client: AgentClient, stream: Duplex) => Promise<void>,
  place: { readonly TMPDIR?: string } = { TMPDIR: folder },
): Promise<void> {
  const { TMPDIR: _, ...env } = process.env;
  const { child, stream } = spawnAgent(PROGRAM, { ...env, ...place });
  const client = new AgentClient(stream, 1);
  try {
    await body(client, stream);
  } finally {
    client.close();
    child.kill("SIGKILL");
    stream.destroy();
  }
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "",
    (error) => `${error.code} ${error.message}`,
  );
}

function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

test.after(() => rmSync(folder, { recursive: true, force: true }));

suite("the agent in bash says who it is and answers", () =>
  withAgent(async (client) => {
    const hello = await client.hello;
    assert.is(hello.version, "2-bash");
    assert.is(hello.bootId, readFileSync("/proc/sys/kernel/random/boot_id", "ascii").trim());
    for (let round = 0; round < 20; round++) await client.ping();
  }));

suite("its commands keep output, errors, input, status and signals apart", () =>
  withAgent(async (client) => {
    const odd = `declare -x "a"; $HOME`;
    const result = await client.exec(["bash", "-c", `printf 'a\\0b%s' "$1"; echo oops >&2; exit 7`, "bash", odd])
      .result;
    assert.is(result.stdout.toString("latin1"), `a\0b${odd}`);
    assert.equal([result.stderr.toString(), result.status], ["oops\n", 7]);
    assert.equal((await client.exec(["sh", "-c", "kill -TERM $$"]).result).signal, "SIGTERM");
    const missing = await client.exec(["/there/is/nothing"]).result;
    assert.equal([missing.status, missing.notStarted], [127, "no such program"]);
    assert.is((await client.exec(["true"], { user: "no-such-user-anywhere" }).result).notStarted, "no such user");
    const options = { environment: { WORD: "a b", OTHER: "" }, directory: "/" };
    assert.is(
      (await client.exec(["sh", "-c", 'echo "$WORD$OTHER"; pwd'], options).result).stdout.toString(),
      "a b\n/\n",
    );
    const data = randomBytes(700_000);
    assert.is(digest((await client.exec(["cat"], { stdin: data }).result).stdout), digest(data));
    const left = await client.exec(["sh", "-c", "sleep 30 & echo at once"]).result;
    assert.is(left.stdout.toString(), "at once\n");
  }));

const inRun = mayWrite("/run") ? suite : test.skip;
if (inRun !== suite) console.log("skipped what needs a /run to write to");

inRun("it keeps its files below /run, where nothing is mounted over them while a machine boots", () =>
  withAgent(async (client) => {
    // Its output goes to one of them.
    const { stdout } = await client.exec(["readlink", "/proc/self/fd/1"]).result;
    const state = dirname(stdout.toString().trim());
    assert.is(dirname(state), "/run");
    rmSync(state, { recursive: true });
  }, {}),
);

suite("its commands run beside each other, and end when they are killed or nobody knows them any more", () =>
  withAgent(async (client, stream) => {
    const all = Array.from({ length: 12 }, (_, index) => client.exec(["sh", "-c", `sleep 0.2; echo ${index}`]).result);
    assert.equal(
      (await Promise.all(all)).map(({ stdout }) => Number(stdout)),
      Array.from({ length: 12 }, (_, index) => index),
    );
    const mark = join(folder, "mark");
    const killed = client.exec(["sh", "-c", `sleep 60 | sleep 60; touch ${mark}`]);
    await client.watch({ kind: "process", text: `touch ${mark}` });
    killed.kill();
    assert.is((await killed.result).signal, "SIGKILL");
    const old = client.exec(["sh", "-c", `sleep 62.5; touch ${mark}`]);
    old.result.catch(() => {});
    await client.watch({ kind: "process", text: "sleep 62.5" });
    client.close();
    // What is no frame is passed over until the next mark.
    stream.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3, 10]));
    const next = new AgentClient(stream, 2);
    await next.hello;
    assert.is((await next.exec(["echo", "new"]).result).stdout.toString(), "new\n");
    await next.watch({ kind: "process", text: "sleep 62.5" }, { gone: true });
    assert.is(existsSync(mark), false);
    next.close();
  }));

suite("it carries files both ways, whole or not at all", () =>
  withAgent(async (client) => {
    const data = Buffer.concat([randomBytes(100_000), Buffer.alloc(200_000), randomBytes(50_000)]);
    const path = join(folder, "a 'file'");
    await client.put(path, data, 0o640);
    assert.is(digest(readFileSync(path)), digest(data));
    assert.is(statSync(path).mode & 0o777, 0o640);
    const back = await client.get(path);
    assert.equal([digest(back.data), back.mode], [digest(data), 0o640]);
    assert.match((await client.get("/proc/self/status")).data.toString(), /^Name:/);
    assert.match(await codeOf(client.get(join(folder, "nothing"))), /^agent\.refused Cannot read ".*": No such file/);
    assert.match(await codeOf(client.get(folder)), /^agent\.refused .*Is a directory/);
    assert.match(await codeOf(client.put("/no/such/folder/file", data)), /^agent\.refused Cannot write/);
  }));

suite("it waits for paths, ports, sockets and processes, and says what is so until then", () =>
  withAgent(async (client) => {
    const seen: string[] = [];
    const onSeen = (words: string) => void seen.push(words);
    const path = join(folder, "deep", "file");
    const there = client.watch({ kind: "path", path, type: "file" }, { onSeen });
    while (seen.length < 1) await sleep(5);
    mkdirSync(path, { recursive: true });
    while (seen.length < 2) await sleep(5);
    rmSync(path, { recursive: true });
    writeFileSync(path, "");
    await there;
    // Whether it saw that nothing was there in between is a matter of chance.
    assert.equal(seen.slice(0, 2), ["No such file or directory", "something else is there"]);
    const gone = client.watch({ kind: "path", path }, { gone: true });
    rmSync(path);
    await gone;
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    await client.watch({ kind: "tcp", port, address: "127.0.0.1" });
    const closed = client.watch({ kind: "tcp", port, address: "127.0.0.1" }, { gone: true });
    server.close();
    await closed;
    const unix = createServer().listen(join(folder, "listener"));
    await client.watch({ kind: "unix", path: join(folder, "listener") });
    unix.close();
    await client.watch({ kind: "process", text: "no such thing 345" }, { gone: true });
    assert.match(await codeOf(client.watch({ kind: "path", path: "not/absolute" })), /^agent\.refused/);
  }));

suite("what it cannot do it refuses by name", () =>
  withAgent(async (client) => {
    assert.match(await codeOf(client.connect({ path: "/run/x" })), /^agent\.refused .*an agent in bash carries no/);
    assert.match(await codeOf(client.reseed(randomBytes(32))), /^agent\.refused Cannot reseed/);
    const terminal = await client.exec(["true"], { terminal: { rows: 1, columns: 1 } }).result;
    assert.is(terminal.status, 126);
    await client.ping();
  }));

test.run();

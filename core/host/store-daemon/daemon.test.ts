import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import {
  WireReader,
  WireWriter,
  WORKER_CLIENT_MAGIC,
  WORKER_OPERATION,
  WORKER_SERVER_MAGIC,
  WORKER_TRUST,
} from "../../store/wire/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { readBytes, writeBytes } from "../process/index.ts";
import { type AdmissionRules, DEFAULT_ADMISSION, daemonSocket, findPeer, runDaemon } from "./index.ts";

const test = suite<ReturnType<typeof openTemporaryStore>>("store-daemon");
test.before.each((context) => void Object.assign(context, openTemporaryStore()));
test.after.each((context) => context.close());

const LAST = 0x616c7473;

interface Running {
  readonly socketPath: string;
  readonly said: string[];
  stop(): Promise<void>;
}

async function start(root: string, rules: AdmissionRules = DEFAULT_ADMISSION): Promise<Running> {
  const stop = new AbortController();
  const socketPath = daemonSocket(join(root, "nix/var/nix"));
  const said: string[] = [];
  let failed: unknown;
  const args = [join(import.meta.dirname, "testdata/worker.ts"), root];
  const ended = runDaemon({
    socketPath,
    rules,
    worker: { program: process.execPath, args },
    signal: stop.signal,
    say: (line) => void said.push(line),
  }).catch((error: unknown) => {
    failed = error;
  });
  while (said.length === 0 && failed === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
  if (failed !== undefined) throw failed;
  return {
    socketPath,
    said,
    async stop() {
      stop.abort();
      await ended;
    },
  };
}

/** A client that has shaken hands. */
async function dial(socketPath: string): Promise<{
  readonly reader: WireReader;
  readonly writer: WireWriter;
  readonly socket: Socket;
  readonly trust: number;
}> {
  const socket = connect(socketPath);
  const reader = new WireReader(readBytes(socket));
  const writer = new WireWriter(writeBytes(socket));
  await writer.number(WORKER_CLIENT_MAGIC).number(0x125).number(0).number(0).flush();
  assert.is(await reader.number(), WORKER_SERVER_MAGIC);
  await reader.number();
  assert.is(await reader.text(), "tested");
  const trust = await reader.number();
  assert.is(await reader.number(), LAST);
  return { reader, writer, socket, trust };
}

async function until(condition: () => boolean, what: () => string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) assert.unreachable(what());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("a daemon serves several clients at once, each in a process of its own", async ({ store }) => {
  const path = store.addText("x", "x", []);
  const daemon = await start(store.root);
  try {
    const clients = await Promise.all([dial(daemon.socketPath), dial(daemon.socketPath), dial(daemon.socketPath)]);
    for (const { reader, writer, trust } of clients) {
      assert.is(trust, WORKER_TRUST.trusted);
      await writer.number(WORKER_OPERATION.addTempRoot).text(path).flush();
      assert.equal([await reader.number(), await reader.number()], [LAST, 1]);
    }
    const roots = (): string[] => readdirSync(join(store.stateDirectory, "temproots"));
    const own = String(process.pid);
    assert.is(roots().filter((name) => name !== own).length, 3);
    // A client's roots end with it.
    for (const { socket } of clients) socket.destroy();
    await until(
      () => roots().filter((name) => name !== own).length === 0,
      () => `left: ${roots().join(", ")}`,
    );
  } finally {
    await daemon.stop();
  }
  assert.not.ok(existsSync(daemon.socketPath));
});

test("a client that talks nonsense ends its own connection only", async ({ store }) => {
  const daemon = await start(store.root);
  try {
    const good = await dial(daemon.socketPath);
    const bad = connect(daemon.socketPath);
    bad.end("GET / HTTP/1.1\r\n\r\n");
    await new Promise((resolve) => bad.once("close", resolve).resume());
    await good.writer.number(WORKER_OPERATION.queryAllValidPaths).flush();
    assert.equal([await good.reader.number(), await good.reader.number()], [LAST, 0]);
    good.socket.destroy();
  } finally {
    await daemon.stop();
  }
});

test("who is not allowed is refused, who is not trusted is told so", async ({ store }) => {
  // Only a daemon of root looks: an ordinary user's has a socket that nobody else can open.
  if (process.getuid?.() !== 0) return;
  const untrusting = await start(store.root, { allowedUsers: ["*"], trustedUsers: [] });
  try {
    assert.is(statSync(untrusting.socketPath).mode & 0o777, 0o666);
    const { trust, socket } = await dial(untrusting.socketPath);
    assert.is(trust, WORKER_TRUST.untrusted);
    socket.destroy();
  } finally {
    await untrusting.stop();
  }
  const closed = await start(store.root, { allowedUsers: ["nobody"], trustedUsers: ["nobody"] });
  try {
    const socket = connect(closed.socketPath);
    await new Promise((resolve) =>
      socket
        .once("close", resolve)
        .on("error", () => {})
        .resume(),
    );
    assert.match(closed.said.at(-1) ?? "", "refused");
  } finally {
    await closed.stop();
  }
});

test("findPeer() says who connected", async ({ folder }) => {
  const path = join(folder, "socket");
  const server = createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  const accepted = new Promise<Socket>((resolve) => void server.once("connection", resolve));
  const client = connect(path);
  const socket = await accepted;
  assert.equal(await findPeer(socket), {
    processId: process.pid,
    userId: process.getuid?.(),
    groupId: process.getgid?.(),
  });
  // Asking takes nothing away: the connection works as before.
  client.write("hello");
  socket.resume();
  assert.is(await new Promise((resolve) => socket.once("data", (data) => resolve(data.toString()))), "hello");
  client.destroy();
  socket.destroy();
  server.close();
});

test("a socket left behind is replaced, one in use and anything else are not", async ({ store, folder }) => {
  const daemon = await start(store.root);
  const refuses = async (code: string, run: () => Promise<Running>): Promise<void> => {
    try {
      await (await run()).stop();
    } catch (error) {
      assert.is((error as CodedError).code, code);
      return;
    }
    assert.unreachable(`expected ${code}`);
  };
  try {
    await refuses("daemon.running", () => start(store.root));
  } finally {
    await daemon.stop();
  }
  const leftover = createServer();
  await new Promise<void>((resolve) => void leftover.listen(`${daemon.socketPath}-old`, resolve));
  // As a killed process leaves it: the file is there, nobody listens.
  const { renameSync } = await import("node:fs");
  renameSync(`${daemon.socketPath}-old`, daemon.socketPath);
  leftover.close();
  await (await start(store.root)).stop();

  const root = join(folder, "other");
  mkdirSync(join(root, "nix/var/nix/daemon-socket"), { recursive: true });
  writeFileSync(join(root, "nix/var/nix/daemon-socket/socket"), "");
  await refuses("daemon.socket", () => start(root));
  await refuses("daemon.socket", () => start(join(folder, "long".repeat(30))));
});

test.run();

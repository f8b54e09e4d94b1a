import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, hashBytes } from "../../base/index.ts";
import {
  type ArrivingObject,
  dumpFileNar,
  formatRealisation,
  makeRealisationId,
  type PathInfo,
  type StorePath,
} from "../../store/index.ts";
import { BUILD_STATUS } from "../../store/wire/index.ts";
import { openLocalStore } from "../local-store/index.ts";
import { runServeConnection, runWorkerConnection } from "../store-server/index.ts";
import { openServedStore } from "../store-server/testing.ts";
import { ClientPool, DaemonStore, type Dial, dialProgram, RemoteRefusal, SshStore } from "./index.ts";
import { dialInside } from "./testing.ts";
import { spawn } from "node:child_process";

const test = suite<ReturnType<typeof openServedStore>>("clients of stores");
test.before.each((context) => void Object.assign(context, openServedStore()));
test.after.each((context) => context.close());

async function fails(code: string, run: () => Promise<unknown>): Promise<CodedError> {
  try {
    await run();
  } catch (error) {
    assert.is((error as CodedError).code, code, String(error));
    return error as CodedError;
  }
  return assert.unreachable(`expected ${code}`) as never;
}

/** Counts connections. */
function counted(dial: Dial): Dial & { count: number } {
  const counting = Object.assign(
    () => {
      counting.count += 1;
      return dial();
    },
    { count: 0 },
  );
  return counting;
}

test("questions that come together are one question", async ({ store, services }) => {
  const paths = Array.from({ length: 50 }, (_, i) => store.addText(`t${i}`, "x", []));
  let asked = 0;
  const counting = {
    ...services,
    store: new Proxy(store, {
      get: (target, name) => {
        const value = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    }),
  };
  const dial = dialInside((input, output) => {
    async function* seen(): AsyncGenerator<Uint8Array> {
      for await (const piece of input) {
        asked += 1;
        yield piece;
      }
    }
    return runServeConnection({ services: counting, input: seen(), output, write: true });
  });
  using remote = new SshStore({ where: '"tested"', dial });
  assert.ok((await Promise.all(paths.map((path) => remote.isValid(path)))).every(Boolean));
  // The greeting and one message, in a few pieces.
  assert.ok(asked < 6, `${asked} pieces were sent`);
});

test("a refusal leaves the connection in use, anything else does not", async ({ services }) => {
  const dial = counted(dialInside((input, output) => runWorkerConnection({ services, input, output, trusted: false })));
  using daemon = new DaemonStore({ where: '"tested"', dial, maxConnections: 1 });
  const nar = dumpFileNar(new Uint8Array(3));
  const info: PathInfo = {
    path: `/nix/store/${"0".repeat(32)}-x` as StorePath,
    narHash: hashBytes("sha256", nar),
    narSize: nar.length,
    references: [],
    signatures: [],
  };
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    yield nar;
  };
  const refused = await fails("remote-store.refused", () => daemon.importNar(info, pieces()));
  assert.instance(refused, RemoteRefusal);
  assert.match(refused.message, "Cannot trust");
  assert.is(await daemon.isValid(info.path), false);
  assert.is(dial.count, 1);
  // Our own check fails in the middle of the message.
  await fails("store.nar-mismatch", () => daemon.importNar({ ...info, narSize: 8 }, pieces()));
  assert.is(await daemon.isValid(info.path), false);
  assert.is(dial.count, 2);
});

test("what a daemon says of another output than the one asked for is refused", async ({ store, services }) => {
  const [asked, other] = [1, 2].map((byte) => makeRealisationId(new Uint8Array(32).fill(byte), "out"));
  const outPath = store.addText("x", "x", []);
  const answer = formatRealisation({ id: other as string, outPath, signatures: [], dependentRealisations: new Map() });
  const lying = { ...services, queryRealisation: () => answer };
  const dial = dialInside((input, output) => runWorkerConnection({ services: lying, input, output, trusted: true }));
  using daemon = new DaemonStore({ where: '"tested"', dial });
  await fails("remote-store.wrong-realisation", () => daemon.queryRealisation(asked as string));
  assert.is((await daemon.queryRealisation(other as string))?.outPath, outPath);
});

test("many objects go in one stream, and what is wrong in it is told", async ({ store, services, folder }) => {
  const from = openLocalStore({ root: join(folder, "from") });
  const paths = Array.from({ length: 20 }, (_, i) => from.addText(`m${i}`, "y".repeat(i), []));
  async function* objects(spoil?: StorePath): AsyncGenerator<ArrivingObject> {
    for (const path of paths) {
      const info = from.queryPathInfo(path) as PathInfo;
      yield { info, nar: path === spoil ? from.readNar(paths[0] as StorePath) : from.readNar(path) };
    }
  }
  for (const trusted of [true, false]) {
    const dial = counted(dialInside((input, output) => runWorkerConnection({ services, input, output, trusted })));
    using daemon = new DaemonStore({ where: '"tested"', dial });
    await fails("store.nar-mismatch", () => daemon.addMany(paths.length, objects(paths[5])));
    await daemon.addMany(paths.length, objects());
    assert.equal(store.allPaths(), [...paths].sort());
    // Refused in the middle: the rest is not sent, and the connection goes on.
    async function* untrusted(): AsyncGenerator<ArrivingObject> {
      const info = { ...(from.queryPathInfo(paths[9] as StorePath) as PathInfo), ca: undefined };
      const foreign = { ...info, path: `/nix/store/${"3".repeat(32)}-foreign` as StorePath };
      yield { info: foreign, nar: from.readNar(paths[9] as StorePath) };
      yield* objects();
    }
    if (!trusted) await fails("remote-store.refused", () => daemon.addMany(paths.length + 1, untrusted()));
    assert.is(await daemon.isValid(paths[0] as StorePath), true);
    assert.is(dial.count, 2);
  }
  from.close();
});

test("who stops reading an archive early does not disturb the next question", async ({ store, services }) => {
  const path = store.addText("long", "x".repeat(3_000_000), []);
  for (const remote of [
    new SshStore({
      where: '"tested"',
      dial: dialInside((input, output) => runServeConnection({ services, input, output })),
    }),
    new DaemonStore({
      where: '"tested"',
      dial: dialInside((input, output) => runWorkerConnection({ services, input, output, trusted: true })),
      maxConnections: 1,
    }),
  ]) {
    for await (const piece of remote.readNar(path)) if (piece.length > 0) break;
    assert.is((await remote.queryPathInfo(path))?.path, path);
    remote.close();
    await fails("remote-store.closed", () => remote.isValid(path));
  }
});

test("what the other side complains of is told", async () => {
  const dial = dialProgram(() =>
    spawn("sh", ["-c", "echo nobody is at home >&2; exit 1"], { stdio: ["pipe", "pipe", "pipe"] }),
  );
  for (const remote of [new SshStore({ where: '"there"', dial }), new DaemonStore({ where: '"there"', dial })]) {
    const error = await fails("remote-store.lost", () => remote.isValid(`/nix/store/${"0".repeat(32)}-x` as StorePath));
    assert.match(error.message, "nobody is at home");
    remote.close();
  }
  const missing = dialProgram(() => spawn("/nonexistent/ssh", [], { stdio: ["pipe", "pipe", "pipe"] }));
  using remote = new SshStore({ where: '"there"', dial: missing });
  await fails("remote-store.lost", () => remote.isValid(`/nix/store/${"0".repeat(32)}-x` as StorePath));
});

test("a server of another protocol is not talked to", async ({ services }) => {
  const path = `/nix/store/${"0".repeat(32)}-x` as StorePath;
  const answering = (bytes: readonly number[]): Dial =>
    dialInside(async (_, output) => {
      for (const each of bytes) {
        const number = new Uint8Array(8);
        new DataView(number.buffer).setBigUint64(0, BigInt(each), true);
        await output.write(number);
      }
    });
  using banner = new SshStore({ where: '"there"', dial: answering([0x4f4b]) });
  await fails("remote-store.not-understood", () => banner.isValid(path));
  using old = new SshStore({ where: '"there"', dial: answering([0x5452eecb, 0x202]) });
  await fails("remote-store.not-understood", () => old.isValid(path));
  using daemon = new DaemonStore({ where: '"there"', dial: answering([0x6478696f, 0x114]) });
  await fails("remote-store.not-understood", () => daemon.isValid(path));
  using unsupported = new SshStore({
    where: '"there"',
    dial: dialInside((input, output) => runServeConnection({ services, input, output })),
  });
  await fails("remote-store.unsupported", () => unsupported.queryByDigest("0".repeat(32)));
});

test("builds are asked for, and failures told", async ({ services }) => {
  const drvPath = `/nix/store/${"1".repeat(32)}-gone.drv` as StorePath;
  const wish = { kind: "outputs", drvPath, outputs: "all" } as const;
  using serve = new SshStore({
    where: '"there"',
    dial: dialInside((input, output) => runServeConnection({ services, input, output, write: true })),
  });
  const error = await fails("remote-store.build-failed", () => serve.build([wish]));
  assert.match(error.message, "is not valid in this store");
  const fixed = { path: `/nix/store/${"2".repeat(32)}-gone`, hashAlgorithm: "", hash: "" };
  const derivation = {
    outputs: { out: fixed },
    inputSources: [],
    system: "none-none",
    builder: "/x",
    args: [],
    env: {},
  };
  const result = await serve.buildDerivation(drvPath, derivation);
  assert.is.not(result.status, BUILD_STATUS.built);
  assert.match(result.message, "none-none");
  using daemon = new DaemonStore({
    where: '"there"',
    dial: dialInside((input, output) => runWorkerConnection({ services, input, output, trusted: true })),
  });
  const [answer] = await daemon.build([wish]);
  assert.equal([answer?.wanted, answer?.result.status], [`${drvPath}!*`, BUILD_STATUS.miscFailure]);
});

test("a pool makes only so many connections, and wakes who waits", async () => {
  let open = 0;
  let most = 0;
  const pool = new ClientPool(async () => {
    most = Math.max(most, ++open);
    return { close: () => void open-- };
  }, 2);
  const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
  await Promise.all(Array.from({ length: 10 }, () => pool.use(turn)));
  assert.equal([most, open], [2, 2]);
  await pool.use(() => Promise.reject(new Error("lost"))).catch(() => {});
  assert.is(open, 1);
  pool.close();
  assert.is(open, 0);
  await fails("remote-store.closed", () => pool.use(turn));
});

test.run();

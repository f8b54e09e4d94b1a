import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, formatHash, hashBytes, utf8 } from "../../base/index.ts";
import {
  dumpFileNar,
  formatContentAddress,
  makeSourcePath,
  type PathInfo,
  publicKeyOf,
  signPathInfo,
  type StorePath,
} from "../../store/index.ts";
import {
  type LogMessage,
  readLogMessage,
  readPathInfo,
  type WireWriter,
  WORKER_CLIENT_MAGIC,
  WORKER_OPERATION as OPERATION,
  WORKER_SERVER_MAGIC,
  writeBasicDerivation,
  writePathInfo,
} from "../../store/wire/index.ts";
import { FileTransport, openBinaryCache } from "../binary-cache/index.ts";
import { ed25519, generateSecretKey } from "../signing/index.ts";
import { localServices, runWorkerConnection, type StoreServices } from "./index.ts";
import { connect, openServedStore, type RawClient } from "./testing.ts";

const test = suite<ReturnType<typeof openServedStore>>("worker protocol server");
test.before.each((context) => void Object.assign(context, openServedStore()));
test.after.each((context) => context.close());

interface Client extends RawClient {
  /** Send an operation and wait until it has succeeded or failed. */
  ask(
    operation: number,
    write: (writer: WireWriter) => void | Promise<void>,
  ): Promise<LogMessage & { kind: "last" | "error" }>;
}

async function dial(services: StoreServices, { trusted = false, minor = 37 } = {}): Promise<Client> {
  const raw = connect((input, output) => runWorkerConnection({ services, input, output, trusted }));
  const { reader, writer } = raw;
  await writer
    .number(WORKER_CLIENT_MAGIC)
    .number(0x100 | minor)
    .number(0)
    .number(0)
    .flush();
  assert.is(await reader.number(), WORKER_SERVER_MAGIC);
  assert.is(await reader.number(), 0x126);
  if (minor >= 33) assert.is(await reader.text(), "floe");
  if (minor >= 35) assert.is(await reader.number(), trusted ? 1 : 2);
  assert.equal(await readLogMessage(reader, minor), { kind: "last" });
  return {
    ...raw,
    async ask(operation, write) {
      writer.number(operation);
      await write(writer);
      await writer.flush();
      for (;;) {
        const message = await readLogMessage(reader, minor);
        if (message.kind === "last" || message.kind === "error") return message;
      }
    },
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** An object that is what its path says. */
function byContent(name: string, contents: string): { info: PathInfo; nar: Uint8Array } {
  const nar = dumpFileNar(utf8(contents));
  const narHash = hashBytes("sha256", nar);
  const ca = formatContentAddress({ method: "recursive", hash: narHash });
  const path = makeSourcePath(name, narHash);
  return { info: { path, narHash, narSize: nar.length, references: [], signatures: [], ca }, nar };
}

/** One that could hold anything. */
function byInput(contents: string, digit = "0"): { info: PathInfo; nar: Uint8Array } {
  const { info, nar } = byContent("x", contents);
  const { ca: _, ...rest } = info;
  return { info: { ...rest, path: `/nix/store/${digit.repeat(32)}-x` as StorePath }, nar };
}

const adding =
  ({ info, nar }: { info: PathInfo; nar: Uint8Array }, { dontCheck = true, repair = false } = {}) =>
  async (writer: WireWriter): Promise<void> => {
    writer.text(info.path);
    writePathInfo(writer, info, 16);
    writer.bool(repair).bool(dontCheck);
    await writer.frames((inner) => inner.raw(once(nar)));
  };

test("who is not trusted adds what is content-addressed, and nothing else", async ({ store, services }) => {
  const client = await dial(services);
  const good = byContent("good", "good");
  assert.equal(await client.ask(OPERATION.addToStoreNar, adding(good)), { kind: "last" });
  assert.ok(store.isValid(good.info.path));
  // An unsigned object of which nobody knows what it should be, also when it claims to be built here.
  const built = byInput("built");
  const claimed = { ...built, info: { ...built.info, ultimate: true } };
  for (const each of [built, claimed]) {
    const refused = await client.ask(OPERATION.addToStoreNar, adding(each));
    assert.match(refused.kind === "error" ? refused.message : "", "Cannot trust");
    assert.is(store.isValid(built.info.path), false);
  }
  // An address that fits the path but not the contents.
  const other = byContent("other", "other");
  const lie = { info: { ...other.info, narHash: good.info.narHash, narSize: good.info.narSize }, nar: good.nar };
  const refused = await client.ask(OPERATION.addToStoreNar, adding(lie));
  assert.match(refused.kind === "error" ? refused.message : "", "contents with the hash");
  assert.is(store.isValid(other.info.path), false);
  // The connection goes on.
  assert.equal(await client.ask(OPERATION.isValidPath, (writer) => void writer.text(good.info.path)), { kind: "last" });
  assert.is(await client.reader.bool(), true);
});

test("a signature by a trusted key counts, and that of another key does not", async ({ store }) => {
  const [trusted, other] = [generateSecretKey("trusted-1"), generateSecretKey("other-1")];
  const services = localServices(store, {
    settings: () => ({ substituters: [], trustedKeys: [publicKeyOf(trusted)] }),
  });
  const client = await dial(services);
  const { info, nar } = byInput("signed");
  const signed = (key: typeof trusted) => ({ info: { ...info, signatures: [signPathInfo(info, key, ed25519)] }, nar });
  assert.is((await client.ask(OPERATION.addToStoreNar, adding(signed(other)))).kind, "error");
  // Signed for other contents.
  const moved = {
    ...byInput("other contents"),
    info: { ...byInput("other contents").info, signatures: signed(trusted).info.signatures },
  };
  assert.is((await client.ask(OPERATION.addToStoreNar, adding(moved))).kind, "error");
  assert.is(store.isValid(info.path), false);
  assert.equal(await client.ask(OPERATION.addToStoreNar, adding(signed(trusted))), { kind: "last" });
  assert.is(store.isValid(info.path), true);
});

test("a client takes from the stores it names, where it may name them", async ({ store, folder }) => {
  const key = generateSecretKey("cache-1");
  const { info, nar } = byInput("elsewhere");
  const transport = new FileTransport(join(folder, "cache"));
  using cache = await openBinaryCache({ transport, secretKey: key }, { create: true });
  await cache.importNar(info, once(nar));
  const url = `file://${join(folder, "cache")}`;
  const trustedKeys = [publicKeyOf(key)];
  const asks = async (
    offered: readonly string[],
    named: Record<string, string>,
    trusted = false,
  ): Promise<string[]> => {
    const settings = () => ({ substituters: [], trustedSubstituters: offered, trustedKeys });
    const client = await dial(localServices(store, { settings }), { trusted });
    const set = await client.ask(OPERATION.setOptions, (writer) => {
      // Nothing kept, gone on with or shown; one job, no limit of silence; objects from elsewhere are welcome.
      for (const value of [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]) writer.number(value);
      writer.number(Object.keys(named).length);
      for (const [name, value] of Object.entries(named)) writer.text(name).text(value);
    });
    assert.equal(set, { kind: "last" });
    const found = await client.ask(OPERATION.querySubstitutablePaths, (writer) => void writer.texts([info.path]));
    assert.equal(found, { kind: "last" });
    return client.reader.texts();
  };
  assert.equal(await asks([], { substituters: url }), []);
  assert.equal(await asks([url], {}), []);
  assert.equal(await asks([url], { substituters: url }), [info.path]);
  assert.equal(await asks([url], { "extra-substituters": url, "trusted-public-keys": "" }), [info.path]);
  assert.equal(await asks([], { substituters: url }, true), [info.path]);
  assert.equal(await asks([], { substituters: url, "trusted-public-keys": "" }, true), []);
});

test("who is trusted adds anything, unless it asks for a check", async ({ store, services }) => {
  const client = await dial(services, { trusted: true });
  const built = byInput("built");
  const ultimate = { ...built, info: { ...built.info, ultimate: true } };
  assert.is((await client.ask(OPERATION.addToStoreNar, adding(built, { dontCheck: false }))).kind, "error");
  assert.equal(await client.ask(OPERATION.addToStoreNar, adding(ultimate)), { kind: "last" });
  assert.is(store.queryPathInfo(built.info.path)?.ultimate, true);
});

test("many objects come in one stream, in the rights of who sends them", async ({ store, services }) => {
  const all = Array.from({ length: 260 }, (_, i) => byContent(`n${i}`, String(i)));
  const stream = (objects: typeof all, dontCheck: boolean) => async (writer: WireWriter) => {
    writer.bool(false).bool(dontCheck);
    await writer.frames(async (inner) => {
      inner.number(objects.length);
      for (const { info, nar } of objects) {
        inner.text(info.path);
        writePathInfo(inner, { ...info, ultimate: true }, 16);
        await inner.raw(once(nar));
      }
    });
  };
  const client = await dial(services);
  assert.equal(await client.ask(OPERATION.addMultipleToStore, stream(all, true)), { kind: "last" });
  assert.is(store.allPaths().length, 260);
  assert.is(store.queryPathInfo(all[0]!.info.path)?.ultimate, false);
  // What is there already is passed over; what is not trusted ends the stream.
  const mixed = [all[7]!, byInput("no")];
  assert.is((await client.ask(OPERATION.addMultipleToStore, stream(mixed, true))).kind, "error");
  assert.is(store.allPaths().length, 260);
  assert.equal(await client.ask(OPERATION.queryAllValidPaths, () => {}), { kind: "last" });
  assert.is((await client.reader.paths()).length, 260);
});

test("what only trusted clients may do fails for others, and the connection goes on", async ({ store, services }) => {
  const path = store.addText("x", "x", []);
  const client = await dial(services);
  const drvPath = `/nix/store/${"1".repeat(32)}-d.drv`;
  const drv = (output: { path: string; hashAlgorithm: string; hash: string }) => ({
    outputs: { out: output },
    inputSources: [],
    system: "x86_64-linux",
    builder: "/bin/sh",
    args: [],
    env: {},
  });
  const forbidden: [number, (writer: WireWriter) => void | Promise<void>][] = [
    [OPERATION.addSignatures, (writer) => void writer.text(path).texts(["k:c2ln"])],
    [OPERATION.addPermRoot, (writer) => void writer.text(path).text("/tmp/root")],
    [OPERATION.verifyStore, (writer) => void writer.bool(false).bool(true)],
    [OPERATION.registerDrvOutput, (writer) => void writer.text("{}")],
    [OPERATION.addToStoreNar, adding(byContent("r", "r"), { repair: true })],
    [OPERATION.buildPaths, (writer) => void writer.texts([path]).number(1)],
    [
      OPERATION.addBuildLog,
      async (writer) => {
        writer.text(drvPath.slice(11));
        await writer.frames((inner) => inner.raw(once(utf8("log"))));
      },
    ],
    [
      OPERATION.buildDerivation,
      (writer) => {
        writer.text(drvPath);
        writeBasicDerivation(writer, drv({ path: `/nix/store/${"2".repeat(32)}-d`, hashAlgorithm: "", hash: "" }));
        writer.number(0);
      },
    ],
  ];
  for (const [operation, write] of forbidden) {
    const refused = await client.ask(operation, write);
    assert.match(refused.kind === "error" ? refused.message : `operation ${operation}`, "does not trust you");
  }
  // A fixed output whose path belongs to other contents.
  const lie = await client.ask(OPERATION.buildDerivation, (writer) => {
    const hash = formatHash(hashBytes("sha256", "x"), "base16");
    writer.text(drvPath);
    writeBasicDerivation(writer, drv({ path: `/nix/store/${"2".repeat(32)}-d`, hashAlgorithm: "sha256", hash }));
    writer.number(0);
  });
  assert.match(lie.kind === "error" ? lie.message : "", "Cannot accept the derivation");
  assert.equal(await client.ask(OPERATION.isValidPath, (writer) => void writer.text(path)), { kind: "last" });
  assert.is(await client.reader.bool(), true);
});

test("nobody may delete what is alive", async ({ store, services }) => {
  const path = store.addText("x", "x", []);
  const client = await dial(services, { trusted: true });
  const refused = await client.ask(
    OPERATION.collectGarbage,
    (writer) => void writer.number(3).texts([path]).bool(true).number(0).number(0).number(0).number(0),
  );
  assert.match(refused.kind === "error" ? refused.message : "", "no client may ask for it");
  assert.ok(store.isValid(path));
});

test("a part the server does not have fails with words", async ({ store }) => {
  const client = await dial({ store }, { trusted: true });
  const lacking: [number, (writer: WireWriter) => void][] = [
    [OPERATION.findRoots, () => {}],
    [OPERATION.optimiseStore, () => {}],
    [OPERATION.addIndirectRoot, (writer) => void writer.text("/tmp/result")],
  ];
  for (const [operation, write] of lacking) {
    const refused = await client.ask(operation, write);
    assert.match(refused.kind === "error" ? refused.message : "", "this server does not do it");
  }
  const relative = await client.ask(OPERATION.addIndirectRoot, (writer) => void writer.text("result"));
  assert.match(relative.kind === "error" ? relative.message : "", "expected an absolute path");
});

test("roots are told to whom they concern: links only to trusted clients", async ({ store, services, folder }) => {
  const path = store.addText("x", "x", []);
  const link = join(folder, "result");
  const trusted = await dial(services, { trusted: true });
  const add = (client: Client) => client.ask(OPERATION.addPermRoot, (writer) => void writer.text(path).text(link));
  assert.equal(await add(trusted), { kind: "last" });
  assert.is(await trusted.reader.text(), link);
  for (const [client, expected] of [
    [trusted, [`${link}|${path}`, `{temp:${process.pid}}|${path}`]],
    [await dial(services), [`{censored}|${path}`, `{censored}|${path}`]],
  ] as const) {
    assert.equal(await client.ask(OPERATION.findRoots, () => {}), { kind: "last" });
    const { reader } = client;
    const found = await reader.list(async () => `${await reader.text()}|${await reader.path()}`);
    assert.equal(found.sort(), [...expected].sort());
  }
  // An operation of later versions does not exist for earlier ones.
  const old = await dial(services, { trusted: true, minor: 35 });
  assert.is((await add(old)).kind, "error");
  assert.is(((await old.ended).error as CodedError).code, "store-server.unknown-operation");
});

test("what cannot be understood is told and ends the connection", async ({ services }) => {
  const hopeless: [string, number, (writer: WireWriter) => void][] = [
    ["store-server.unknown-operation", 999, () => {}],
    ["store-path.outside", OPERATION.isValidPath, (writer) => void writer.text("/etc/passwd")],
    ["wire.malformed", OPERATION.queryValidPaths, (writer) => void writer.number(2n ** 60n)],
    ["derived-path.malformed", OPERATION.buildPaths, (writer) => void writer.texts(["/nix/store/x!"]).number(0)],
    ["wire.malformed", OPERATION.isValidPath, (writer) => void writer.number(2n ** 50n)],
  ];
  for (const [code, operation, write] of hopeless) {
    const client = await dial(services);
    assert.is((await client.ask(operation, write)).kind, "error", code);
    const found = ((await client.ended).error as CodedError).code;
    assert.ok(
      found === code || (code === "derived-path.malformed" && found.startsWith("store-path.")),
      `${code}, ${found}`,
    );
  }
  for (const begin of [
    (w: WireWriter) => w.number(7),
    (w: WireWriter) => w.number(WORKER_CLIENT_MAGIC).number(0x111),
  ]) {
    const raw = connect((input, output) => runWorkerConnection({ services, input, output, trusted: false }));
    await begin(raw.writer).flush();
    assert.is(((await raw.ended).error as CodedError).code, "store-server.handshake");
  }
});

test("a client that vanishes in the middle leaves nothing registered", async ({ store, services }) => {
  const whole = byContent("whole", "x".repeat(100_000));
  const client = await dial(services, { trusted: true });
  client.writer.number(OPERATION.addToStoreNar).text(whole.info.path);
  writePathInfo(client.writer, whole.info, 16);
  client.writer.bool(false).bool(true);
  client.writer.number(50_000);
  await client.writer.raw(once(whole.nar.subarray(0, 50_000)));
  await client.writer.flush();
  client.hangUp();
  assert.is(((await client.ended).error as CodedError).code, "wire.ended");
  assert.equal(store.allPaths(), []);
  // Nothing stands in the way of the next one.
  const next = await dial(services, { trusted: true });
  assert.equal(await next.ask(OPERATION.addToStoreNar, adding(whole)), { kind: "last" });
  assert.equal(store.allPaths(), [whole.info.path]);
});

test("clients of old are understood", async ({ store, services }) => {
  // 1.18: archives raw, errors with a status, a .drv stands for its outputs.
  const old = await dial(services, { trusted: true, minor: 18 });
  const nar = dumpFileNar(utf8("flat"));
  const write = (recursive: boolean) => async (writer: WireWriter) => {
    writer.text("old").bool(true).bool(recursive).text("sha256");
    await writer.raw(once(nar));
  };
  assert.equal(await old.ask(OPERATION.addToStore, write(true)), { kind: "last" });
  assert.is(await old.reader.path(), makeSourcePath("old", hashBytes("sha256", nar)));
  assert.equal(await old.ask(OPERATION.addToStore, write(false)), { kind: "last" });
  const flat = await old.reader.path();
  assert.is(store.queryPathInfo(flat)?.ca, formatContentAddress({ method: "flat", hash: hashBytes("sha256", "flat") }));
  assert.equal(await old.ask(OPERATION.queryPathInfo, (writer) => void writer.text(flat)), { kind: "last" });
  assert.is(await old.reader.bool(), true);
  assert.is((await readPathInfo(old.reader, flat, 18)).narSize, nar.length);
  const missing = await old.ask(OPERATION.ensurePath, (writer) => void writer.text(byInput("x").info.path));
  assert.equal([missing.kind, (missing as { status?: number }).status], ["error", 1]);

  // 1.21: the server asks for data piece by piece.
  const asked = await dial(services, { trusted: true, minor: 21 });
  const { info, nar: wanted } = byContent("asked", "y".repeat(200_000));
  asked.writer.number(OPERATION.addToStoreNar).text(info.path);
  writePathInfo(asked.writer, info, 16);
  await asked.writer.bool(false).bool(true).flush();
  let at = 0;
  for (;;) {
    const message = await readLogMessage(asked.reader, 21);
    if (message.kind === "last") break;
    assert.is(message.kind, "read");
    const size = Math.min((message as { sizeBytes: number }).sizeBytes, wanted.length - at);
    await asked.writer.bytes(wanted.subarray(at, at + size)).flush();
    at += size;
  }
  assert.ok(store.isValid(info.path));
});

test("an archive added by content is read whole, wherever it belongs", async ({ store, services }) => {
  const client = await dial(services);
  const big = new Uint8Array(3_000_000).fill(7);
  const add = (name: string, method: string, bytes: Uint8Array) =>
    client.ask(OPERATION.addToStore, async (writer) => {
      writer.text(name).text(method).set([]).bool(false);
      await writer.frames((inner) => inner.raw(once(bytes)));
    });
  assert.equal(await add("big", "fixed:sha256", big), { kind: "last" });
  const path = await client.reader.path();
  const info = await readPathInfo(client.reader, path, 37);
  assert.equal(info, store.queryPathInfo(path));
  assert.is(info.narSize, dumpFileNar(big).length);
  assert.is((await add("tree", "fixed:r:sha512", big)).kind, "error");
  assert.is((await add("x", "fixed:r:blake9", big)).kind, "error");
  assert.is((await client.ended).error !== undefined, true);
});

test.run();

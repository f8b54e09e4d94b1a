import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import { WireReader, WireWriter, WORKER_OPERATION as OPERATION } from "../../store/wire/index.ts";
import type { StoreServices } from "./served-store.ts";
import { openServedStore, written } from "./testing.ts";
import { WORKER_MAINTENANCE } from "./worker-maintenance.ts";
import { WorkerSession } from "./worker-session.ts";

const test = suite<ReturnType<typeof openServedStore>>("maintenance of the worker protocol");
test.before.each((context) => void Object.assign(context, openServedStore()));
test.after.each((context) => context.close());

const MINOR = 37;

interface Asked {
  readonly services: StoreServices;
  readonly trusted: boolean;
}

/** The code an operation fails with: clients are told words alone. */
async function codeOf(
  operation: number,
  { services, trusted }: Asked,
  write: (writer: WireWriter) => void = () => {},
): Promise<string | undefined> {
  const bytes = await written(write);
  async function* input(): AsyncGenerator<Uint8Array> {
    yield bytes;
  }
  const reader = new WireReader(input(), { storeDirectory: services.store.storeDirectory });
  const writer = new WireWriter({ write() {} });
  const session = new WorkerSession({ services, reader, writer, minor: MINOR, trusted });
  const handler = new Map(WORKER_MAINTENANCE).get(operation);
  assert.ok(handler, `operation ${operation}`);
  try {
    await handler(session);
    return undefined;
  } catch (error) {
    assert.is(session.stage, "working");
    return (error as CodedError).code;
  }
}

test("what only trusted clients may do is store-server.not-trusted for others", async ({ services, store, folder }) => {
  const path = store.addText("x", "x", []);
  const asks: [number, (writer: WireWriter) => void][] = [
    [OPERATION.addPermRoot, (writer) => void writer.text(path).text(`${folder}/result`)],
    [OPERATION.verifyStore, (writer) => void writer.bool(false).bool(true)],
  ];
  for (const [operation, write] of asks) {
    assert.is(await codeOf(operation, { services, trusted: false }, write), "store-server.not-trusted");
    assert.is(await codeOf(operation, { services, trusted: true }, write), undefined);
  }
});

test("a part the server does not have is store-server.unsupported", async ({ services, store }) => {
  for (const operation of [OPERATION.findRoots, OPERATION.optimiseStore]) {
    assert.is(await codeOf(operation, { services: { store }, trusted: true }), "store-server.unsupported");
    assert.is(await codeOf(operation, { services, trusted: true }), undefined);
  }
});

test("a root that is no absolute path is store-server.root", async ({ services, store, folder }) => {
  const path = store.addText("x", "x", []);
  const code = (link: string) =>
    codeOf(OPERATION.addPermRoot, { services, trusted: true }, (writer) => void writer.text(path).text(link));
  for (const link of ["result", "", "/a\0b"]) assert.is(await code(link), "store-server.root", JSON.stringify(link));
  assert.is(await code(`${folder}/result`), undefined);
});

test("to delete what is alive is store-server.ignore-liveness, for whomever", async ({ services, store }) => {
  const path = store.addText("x", "x", []);
  const collect = (ignoreLiveness: boolean) =>
    codeOf(OPERATION.collectGarbage, { services, trusted: true }, (writer) => {
      // 3: delete these; no limit, and three numbers that mean nothing.
      writer.number(3).texts([path]).bool(ignoreLiveness).number(0).number(0).number(0).number(0);
    });
  assert.is(await collect(true), "store-server.ignore-liveness");
  assert.ok(store.isValid(path));
});

test.run();

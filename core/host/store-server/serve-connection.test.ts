import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import {
  SERVE_CLIENT_MAGIC,
  SERVE_OPERATION as OPERATION,
  SERVE_SERVER_MAGIC,
  type WireWriter,
} from "../../store/wire/index.ts";
import { runServeConnection } from "./index.ts";
import { connect, openServedStore } from "./testing.ts";

const test = suite<ReturnType<typeof openServedStore>>("serve protocol server");
test.before.each((context) => void Object.assign(context, openServedStore()));
test.after.each((context) => context.close());

test("who may only read can neither add nor build, and the connection ends with store-server.read-only", async (context) => {
  const { services, store } = context;
  const refused: [number, (writer: WireWriter) => void][] = [
    [OPERATION.importPaths, () => {}],
    [OPERATION.addToStoreNar, () => {}],
    // No wishes; no limit of silence, time, log, and three more settings.
    [OPERATION.buildPaths, (writer) => void [0, 0, 0, 0, 0, 0, 0].forEach((value) => writer.number(value))],
  ];
  for (const [operation, write] of refused) {
    const client = connect((input, output) => runServeConnection({ services, input, output }));
    await client.writer.number(SERVE_CLIENT_MAGIC).number(0x207).flush();
    assert.is(await client.reader.number(), SERVE_SERVER_MAGIC);
    await client.reader.number();
    client.writer.number(operation);
    write(client.writer);
    await client.writer.flush();
    assert.is(((await client.ended).error as CodedError)?.code, "store-server.read-only", `operation ${operation}`);
  }
  assert.equal(store.allPaths(), []);
});

test.run();

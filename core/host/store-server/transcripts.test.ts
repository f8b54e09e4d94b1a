import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { importPaths, makeMemorySpool } from "../../store/index.ts";
import { WireReader, type WireOutput } from "../../store/wire/index.ts";
import { runServeConnection, runWorkerConnection, type StoreServices } from "./index.ts";
import { openServedStore } from "./testing.ts";

interface Case {
  readonly name: string;
  readonly request: string;
  readonly response: string;
  readonly result?: { readonly registrationTime?: number } | null;
  readonly failed?: boolean;
  readonly freshConnection?: boolean;
}

interface Transcript {
  readonly import: string;
  readonly cases: readonly Case[];
}

const VECTORS = join(import.meta.dirname, "../../../tools/conformance/vectors");
const ERROR = "ptxc";

/** Play one connection: each request goes in when the answer to the one before has come. */
async function play(
  name: string,
  run: (services: StoreServices, input: AsyncIterable<Uint8Array>, output: WireOutput) => Promise<void>,
): Promise<Map<Case, Buffer>> {
  const { import: stream, cases } = JSON.parse(readFileSync(join(VECTORS, name), "utf8")) as Transcript;
  const { store, services, close } = openServedStore();
  try {
    async function* once(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(stream, "base64");
    }
    await importPaths(store, new WireReader(once()), makeMemorySpool());
    const database = new DatabaseSync(join(store.stateDirectory, "db/db.sqlite"));
    database.exec("update ValidPaths set registrationTime = 1600000000");
    database.close();

    const answers = new Map<Case, Buffer>();
    let answer: Buffer[] = [];
    const output: WireOutput = { write: (bytes) => void answer.push(Buffer.from(bytes)) };
    async function* requests(): AsyncGenerator<Uint8Array> {
      for (const each of cases.filter(({ freshConnection }) => freshConnection !== true)) {
        answer = [];
        yield Buffer.from(each.request, "base64");
        // We are asked for more only when everything was answered.
        answers.set(each, Buffer.concat(answer));
      }
    }
    await run(services, requests(), output);
    const [first, second] = cases;
    for (const each of cases.filter(({ freshConnection }) => freshConnection === true)) {
      answer = [];
      async function* request(): AsyncGenerator<Uint8Array> {
        yield Buffer.from(first?.request ?? "", "base64");
        yield Buffer.from(second?.request ?? "", "base64");
        answer = [];
        yield Buffer.from(each.request, "base64");
      }
      await run(services, request(), output).then(
        () => assert.unreachable(`${each.name}: expected the connection to end`),
        () => {},
      );
      answers.set(each, Buffer.concat(answer));
    }
    return answers;
  } finally {
    close();
  }
}

function compare(answers: ReadonlyMap<Case, Buffer>): void {
  for (const [each, answer] of answers) {
    const expected = Buffer.from(each.response, "base64");
    if (each.failed === true) {
      // Texts of failures are ours.
      assert.is(answer.toString("latin1", 0, 4), ERROR, `${each.name}: ${answer.toString("latin1")}`);
      continue;
    }
    const time = each.result?.registrationTime;
    if (time !== undefined && time > 1_700_000_000) hideTime(answer, expected, time);
    assert.is(answer.toString("latin1"), expected.toString("latin1"), each.name);
  }
}

/** The moment of registration is another one each time. */
function hideTime(answer: Buffer, expected: Buffer, time: number): void {
  const text = Buffer.alloc(8);
  text.writeBigUInt64LE(BigInt(time));
  const at = expected.indexOf(text);
  assert.ok(at > 0 && Math.abs(Number(answer.readBigUInt64LE(at)) - Date.now() / 1000) < 60);
  answer.fill(0, at, at + 8);
  expected.fill(0, at, at + 8);
}

test("the serve protocol answers as Nix does", async () => {
  const answers = await play("serve-protocol.json", (services, input, output) =>
    runServeConnection({ services, input, output, write: true }),
  );
  const failing = [...answers.keys()].find(({ name }) => name === "BuildPaths missing");
  if (failing !== undefined) {
    const status = answers.get(failing)?.readBigUInt64LE(0);
    assert.is(status, 1n);
    answers.delete(failing);
  }
  assert.is(answers.size, 16);
  compare(answers);
});

test("the worker protocol answers as Nix does", async () => {
  const answers = await play("worker-protocol.json", (services, input, output) =>
    runWorkerConnection({ services, input, output, trusted: true, version: 0x122, serverName: "2.8.0" }),
  );
  assert.is(answers.size, 48);
  compare(answers);
});

test.run();

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { CodedError, concatBytes, formatHash, fromBase64, toBase64 } from "../../core/base/index.ts";
import type { LocalStore } from "../../core/host/local-store/index.ts";
import { openTemporaryStore } from "../../core/host/local-store/testing.ts";
import {
  localServices,
  runServeConnection,
  runWorkerConnection,
  type StoreServices,
} from "../../core/host/store-server/index.ts";
import { importPaths, makeMemorySpool, type StorePath } from "../../core/store/index.ts";
import { readLogMessage, WireReader, type WireOutput } from "../../core/store/wire/index.ts";
import type { Compare, Suite } from "./suite.ts";

interface Exchange {
  readonly name: string;
  readonly request: string;
  readonly response: string;
  readonly result?: unknown;
  readonly failed?: boolean;
  readonly freshConnection?: boolean;
  readonly closesConnection?: boolean;
}

interface StateRow {
  readonly path: StorePath;
  readonly hash: string;
  readonly deriver: string | null;
  readonly narSize: number;
  readonly references: readonly string[];
}

interface Transcript {
  readonly import: string;
  readonly stateBefore: readonly StateRow[];
  readonly cases: readonly Exchange[];
}

type Serve = (services: StoreServices, input: AsyncIterable<Uint8Array>, output: WireOutput) => Promise<void>;

/** Bytes that answer a request, and how the connection ended when it ended there. */
interface Answer {
  readonly bytes: Uint8Array;
  readonly end?: { readonly error?: unknown };
}

/** Of all objects in the store, as the transcripts say. */
const TIME_BEFORE = 1_600_000_000;
const REGISTRATION_TOLERANCE_SECONDS = 3600;

export async function runServeProtocol(transcript: Transcript, suite: Suite): Promise<void> {
  const serve: Serve = (services, input, output) => runServeConnection({ services, input, output, write: true });
  await play(transcript, serve, suite, (exchange, answer, compare) => {
    const { result, response } = exchange;
    const expected = fromBase64(response);
    if (isFailure(result)) {
      // A status and a message of our own.
      compare("status", answer.length >= 8 ? numberAt(answer, 0) : undefined, numberAt(expected, 0));
      compare("has a message", answer.length > 16, true);
    } else compare("response", toBase64(answer), response);
  });
}

export async function runWorkerProtocol(transcript: Transcript, suite: Suite): Promise<void> {
  // The versions that both sides of the transcript speak.
  const [greeting, hello] = transcript.cases as readonly [Exchange, Exchange];
  const version = (greeting.result as { version: number }).version;
  const serverName = (hello.result as { daemonVersion: string }).daemonVersion;
  const minor = version & 255;
  const given = new Set([TIME_BEFORE, ...transcript.cases.flatMap(({ request }) => numbersIn(fromBase64(request)))]);
  const serve: Serve = (services, input, output) =>
    runWorkerConnection({ services, input, output, trusted: true, version, serverName });
  await play(transcript, serve, suite, async (exchange, answer, compare) => {
    if (exchange === greeting || exchange === hello) {
      compare("response", toBase64(answer), exchange.response);
      return;
    }
    const found = await readReply(answer, minor);
    const expected = await readReply(fromBase64(exchange.response), minor);
    compare("outcome", found.kind, exchange.failed === true ? "error" : expected.kind);
    if (exchange.failed === true) return;
    const [mine, theirs] = hideTime(exchange, given, found.rest, expected.rest);
    compare("result", toBase64(mine), toBase64(theirs));
  });
}

/**
 * Play a transcript: each request goes in when the answer to the one before has come, so that the server sees what a client would
 * have sent.
 */
async function play(
  transcript: Transcript,
  serve: Serve,
  suite: Suite,
  check: (exchange: Exchange, answer: Uint8Array, compare: Compare) => void | Promise<void>,
): Promise<void> {
  const { store, close } = openTemporaryStore();
  try {
    const fault = await prepare(store, transcript);
    if (fault !== undefined) suite.fail("state before", fault);
    const services = localServices(store);
    const { cases } = transcript;
    const greetings = cases.slice(0, 2);
    const main = cases.filter((each) => each.freshConnection !== true);
    const answers = await converse(serve, services, main);
    for (const exchange of cases) {
      await suite.case(exchange.name, async (compare) => {
        const fresh = exchange.freshConnection === true;
        const answer = fresh
          ? (await converse(serve, services, [...greetings, exchange])).get(exchange)
          : answers.get(exchange);
        if (answer === undefined) throw new Error("the connection had ended before this request");
        await check(exchange, answer.bytes, compare);
        if (exchange.closesConnection === true) compare("closes the connection", answer.end !== undefined, true);
        else if (answer.end?.error !== undefined) throw answer.end.error;
      });
    }
  } finally {
    close();
  }
}

/** Take in what was there before. @returns What of it is not as the transcript says. */
async function prepare(store: LocalStore, { import: stream, stateBefore }: Transcript): Promise<string | undefined> {
  async function* once(): AsyncGenerator<Uint8Array> {
    yield fromBase64(stream);
  }
  await importPaths(store, new WireReader(once()), makeMemorySpool());
  const database = new DatabaseSync(join(store.stateDirectory, "db/db.sqlite"));
  database.exec(`update ValidPaths set registrationTime = ${TIME_BEFORE}`);
  database.close();
  for (const row of stateBefore ?? []) {
    const info = store.queryPathInfo(row.path);
    if (info === undefined) return `"${row.path}" is not valid`;
    const found = [formatHash(info.narHash, "typed-base16"), info.narSize, info.deriver ?? null, [...info.references]];
    const expected = [row.hash, row.narSize, row.deriver, [...row.references].sort()];
    if (JSON.stringify(found) !== JSON.stringify(expected))
      return `expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`;
  }
  return undefined;
}

async function converse(
  serve: Serve,
  services: StoreServices,
  exchanges: readonly Exchange[],
): Promise<Map<Exchange, Answer>> {
  const answers = new Map<Exchange, Answer>();
  let current: { readonly exchange: Exchange; readonly parts: Uint8Array[] } | undefined;
  const settle = (end?: Answer["end"]): void => {
    if (current !== undefined)
      answers.set(current.exchange, { bytes: concatBytes(current.parts), ...(end === undefined ? {} : { end }) });
    current = undefined;
  };
  async function* requests(): AsyncGenerator<Uint8Array> {
    for (const exchange of exchanges) {
      current = { exchange, parts: [] };
      yield fromBase64(exchange.request);
      // We are asked for more only when everything was answered.
      settle();
    }
  }
  const output: WireOutput = { write: (bytes) => void current?.parts.push(bytes.slice()) };
  try {
    await serve(services, requests(), output);
    settle({});
  } catch (error) {
    settle({ error });
  }
  return answers;
}

/** What comes after the messages that precede a result, and which message was the last. */
async function readReply(bytes: Uint8Array, minor: number): Promise<{ kind: string; rest: Uint8Array }> {
  async function* once(): AsyncGenerator<Uint8Array> {
    yield bytes;
  }
  const reader = new WireReader(once());
  try {
    for (;;) {
      const { kind } = await readLogMessage(reader, minor);
      if (kind !== "last" && kind !== "error") continue;
      const parts: Uint8Array[] = [];
      while (await reader.begin()) for await (const part of reader.raw(1)) parts.push(part.slice());
      return { kind, rest: concatBytes(parts) };
    }
  } catch (error) {
    if (error instanceof CodedError) return { kind: `nothing readable (${error.message})`, rest: new Uint8Array(0) };
    throw error;
  }
}

/** The moment at which something is added is another one each time: where it stands, ours only has to be now. */
function hideTime(
  exchange: Exchange,
  given: ReadonlySet<number>,
  found: Uint8Array,
  expected: Uint8Array,
): [Uint8Array, Uint8Array] {
  const time = (exchange.result as { registrationTime?: unknown } | null | undefined)?.registrationTime;
  if (typeof time !== "number" || given.has(time)) return [found, expected];
  if (found.length !== expected.length) return [found, expected];
  for (let at = 0; at + 8 <= expected.length; at += 8) {
    if (numberAt(expected, at) !== time) continue;
    const ours = numberAt(found, at);
    if (ours === time || Math.abs(ours - Date.now() / 1000) > REGISTRATION_TOLERANCE_SECONDS) break;
    return [without(found, at), without(expected, at)];
  }
  return [found, expected];
}

/** All numbers of a request; chunks of framed data may begin anywhere. */
function numbersIn(bytes: Uint8Array): number[] {
  return Array.from({ length: Math.max(0, bytes.length - 7) }, (_, at) => numberAt(bytes, at));
}

function without(bytes: Uint8Array, at: number): Uint8Array {
  const copy = bytes.slice();
  copy.fill(0, at, at + 8);
  return copy;
}

function numberAt(bytes: Uint8Array, at: number): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at, true));
}

function isFailure(result: unknown): boolean {
  const status = (result as { status?: unknown } | null | undefined)?.status;
  return typeof status === "number" && status !== 0 && typeof (result as { message?: unknown }).message === "string";
}

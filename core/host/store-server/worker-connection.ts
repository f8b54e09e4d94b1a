import { CodedError } from "../../base/index.ts";
import {
  WireReader,
  type WireOutput,
  WireWriter,
  WORKER_CLIENT_MAGIC,
  WORKER_OLDEST_MINOR,
  WORKER_OPERATION as OPERATION,
  WORKER_SERVER_MAGIC,
  WORKER_TRUST,
  WORKER_VERSION,
  writeLogMessage,
} from "../../store/wire/index.ts";
import { isConnectionLost } from "./failure.ts";
import type { StoreServices } from "./served-store.ts";
import { WORKER_ADDITIONS } from "./worker-additions.ts";
import { WORKER_BUILDS } from "./worker-builds.ts";
import { WORKER_MAINTENANCE } from "./worker-maintenance.ts";
import { WORKER_QUERIES } from "./worker-queries.ts";
import { WorkerSession } from "./worker-session.ts";

/** Reads the arguments of one operation, does it, and writes the answer. */
export type WorkerHandler = (session: WorkerSession) => Promise<void>;

const HANDLERS: ReadonlyMap<number, WorkerHandler> = new Map([
  ...WORKER_QUERIES,
  ...WORKER_ADDITIONS,
  ...WORKER_BUILDS,
  ...WORKER_MAINTENANCE,
]);

/** Operations that older versions do not have. */
const SINCE_MINOR: ReadonlyMap<number, number> = new Map([
  [OPERATION.addMultipleToStore, 32],
  [OPERATION.buildPathsWithResults, 34],
  [OPERATION.addPermRoot, 36],
]);

export interface WorkerConnectionOptions {
  readonly services: StoreServices;
  /** What the client sends; pieces must stay as they are. */
  readonly input: AsyncIterable<Uint8Array>;
  readonly output: WireOutput;
  /** Whether the client may do everything the server may. */
  readonly trusted: boolean;
  /** The version we offer, major in the upper byte. Default {@link WORKER_VERSION}; an older one is spoken in tests. */
  readonly version?: number;
  /** What we call ourselves. Default `floe`. */
  readonly serverName?: string;
  /** Aborted when the client is gone: builds for it end. */
  readonly signal?: AbortSignal;
}

/**
 * Answer one client of the worker protocol, as `nix-daemon --stdio` does, until it hangs up. `response` bytes of a transcript
 * are what `output` gets for its `request` bytes in `input`; those of Nix 2.8 are of `version` 0x122 with the `serverName`
 * `2.8.0`, from a trusted client.
 *
 * A failed operation is told to the client and leaves the connection usable, as long as the request was understood.
 *
 * @throws {CodedError} when the connection cannot go on, after the client was told: `store-server.handshake`,
 *   `store-server.unknown-operation`, and those of reading (`wire.…`, `store-path.…`).
 */
export async function runWorkerConnection(options: WorkerConnectionOptions): Promise<void> {
  const session = await shakeHands(options);
  while (await session.reader.begin()) {
    session.reset();
    await answer(session, await session.reader.number());
    await session.writer.flush();
  }
}

async function answer(session: WorkerSession, operation: number): Promise<void> {
  try {
    const handler = HANDLERS.get(operation);
    if (handler === undefined || session.minor < (SINCE_MINOR.get(operation) ?? 0)) {
      throw new CodedError(
        "store-server.unknown-operation",
        `Cannot answer the client: there is no operation ${operation} in the worker protocol`,
      );
    }
    await handler(session);
    await session.reader.skipFrames();
  } catch (error) {
    // Half an answer cannot be taken back: the client has to see that the connection ends.
    if (session.stage === "answering") throw error;
    const isOver = session.stage === "arguments" || isConnectionLost(error);
    if (!isOver) await session.reader.skipFrames();
    session.fail(error);
    if (!isOver) return;
    await session.writer.flush();
    throw error;
  }
}

async function shakeHands(options: WorkerConnectionOptions): Promise<WorkerSession> {
  const { services, input, output, trusted, version = WORKER_VERSION, serverName = "floe", signal } = options;
  const reader = new WireReader(input, { storeDirectory: services.store.storeDirectory });
  const writer = new WireWriter(output);
  const magic = await reader.number();
  if (magic !== WORKER_CLIENT_MAGIC) throw handshake(`it begins with 0x${magic.toString(16)}`);
  await writer.number(WORKER_SERVER_MAGIC).number(version).flush();
  const theirs = await reader.number();
  if (theirs >> 8 !== version >> 8 || (theirs & 255) < WORKER_OLDEST_MINOR)
    throw handshake(`it speaks version ${theirs >> 8}.${theirs & 255}`);
  const minor = Math.min(theirs & 255, version & 255);
  if (minor >= 38) {
    // We have none of the features that both sides may agree on.
    await reader.texts();
    await writer.texts([]).flush();
  }
  // Once told on which processor to run and how much to set aside.
  if (await reader.bool()) await reader.number();
  await reader.number();
  if (minor >= 33) writer.text(serverName);
  if (minor >= 35) writer.number(trusted ? WORKER_TRUST.trusted : WORKER_TRUST.untrusted);
  writeLogMessage(writer, { kind: "last" }, minor);
  await writer.flush();
  return new WorkerSession({ services, reader, writer, minor, trusted, signal });
}

function handshake(found: string): CodedError {
  return new CodedError(
    "store-server.handshake",
    `Cannot talk to the client: ${found}, expected a client of the worker protocol 1.${WORKER_OLDEST_MINOR} or later`,
  );
}

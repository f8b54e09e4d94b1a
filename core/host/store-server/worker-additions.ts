import { parseHashAlgorithm } from "../../base/index.ts";
import {
  type ArrivingObject,
  parseAddressMethod,
  type PathInfo,
  type StorePath,
  storePathFromBaseName,
} from "../../store/index.ts";
import {
  readPathInfo,
  WireReader,
  WORKER_OPERATION as OPERATION,
  writeLogMessage,
  writePathInfo,
} from "../../store/wire/index.ts";
import { notTrusted, unsupported } from "./failure.ts";
import { addContents, contentsOf, only, takeIn } from "./take-in.ts";
import type { WorkerHandler } from "./worker-connection.ts";
import type { WorkerSession } from "./worker-session.ts";

/** Path infos inside a stream of many are always of this version. */
const STREAM_INFO_MINOR = 16;
const READ_BYTES = 64 * 1024;

async function* oneText(text: Uint8Array): AsyncGenerator<Uint8Array> {
  yield text;
}

const addToStore: WorkerHandler = async (session) => {
  const { reader, minor } = session;
  if (minor < 25) return addToStoreOld(session);
  const name = await reader.text();
  const kind = parseAddressMethod(await reader.text());
  const references = await reader.paths();
  const repair = await reader.bool();
  session.begin();
  const frames = reader.frames();
  refuseRepair(session, repair);
  const info = await addContents(session.store, { name, references, ...kind }, frames);
  writePathInfo(session.end().text(info.path), info, minor);
};

/** As clients before 1.25 add: always an archive. */
const addToStoreOld: WorkerHandler = async (session) => {
  const { reader } = session;
  const name = await reader.text();
  const fixed = await reader.bool();
  const recursive = await reader.bool();
  const named = await reader.text();
  session.begin();
  // The oldest ones say nothing of use unless the content is fixed.
  const algorithm = fixed ? parseHashAlgorithm(named) : "sha256";
  const method = recursive || !fixed ? "recursive" : "flat";
  const nar = reader.nar();
  const pieces = method === "flat" ? contentsOf(nar) : nar;
  const info = await addContents(session.store, { name, method, algorithm, references: [] }, pieces);
  session.end().text(info.path);
};

const addTextToStore: WorkerHandler = async (session) => {
  const { reader } = session;
  const name = await reader.text();
  const contents = await reader.bytes();
  const references = await reader.paths();
  session.begin();
  const text = { name, method: "text", algorithm: "sha256", references } as const;
  const info = await addContents(session.store, text, oneText(contents));
  session.end().text(info.path);
};

const addToStoreNar: WorkerHandler = async (session) => {
  const { reader, minor } = session;
  const path = await reader.path();
  const info = await readPathInfo(reader, path, STREAM_INFO_MINOR);
  const repair = await reader.bool();
  const dontCheckSignatures = await reader.bool();
  session.begin();
  const nar = minor >= 23 ? reader.frames() : minor >= 21 ? askedFor(session) : reader.nar();
  refuseRepair(session, repair);
  await takeIn(session.services, only(asFrom(session, info), nar), {
    checkSignatures: !(session.trusted && dontCheckSignatures),
  });
  session.end();
};

/** As servers before 1.23 take data: we ask for pieces until the archive is complete. */
function askedFor(session: WorkerSession): AsyncGenerator<Uint8Array> {
  const { reader, writer, minor } = session;
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (;;) {
      writeLogMessage(writer, { kind: "read", sizeBytes: READ_BYTES }, minor);
      await writer.flush();
      yield await reader.bytes(READ_BYTES);
      reader.forget();
    }
  }
  return new WireReader(pieces()).nar();
}

const addMultipleToStore: WorkerHandler = async (session) => {
  const { reader, store, services } = session;
  const repair = await reader.bool();
  const dontCheckSignatures = await reader.bool();
  session.begin();
  const inner = new WireReader(reader.frames(), { storeDirectory: store.storeDirectory });
  refuseRepair(session, repair);
  async function* objects(): AsyncGenerator<ArrivingObject> {
    inner.forget();
    for (let left = await inner.number(); left > 0; left--) {
      inner.forget();
      const path = await inner.path();
      const info = await readPathInfo(inner, path, STREAM_INFO_MINOR);
      yield { info: asFrom(session, info), nar: inner.raw(info.narSize) };
    }
  }
  await takeIn(services, objects(), { checkSignatures: !(session.trusted && dontCheckSignatures) });
  session.end();
};

/** Only who is trusted may say that something was built here, which is as good as a signature. */
function asFrom({ trusted }: WorkerSession, info: PathInfo): PathInfo {
  return trusted ? info : { ...info, ultimate: false };
}

function refuseRepair({ trusted }: WorkerSession, repair: boolean): void {
  if (!repair) return;
  throw trusted ? unsupported("repair an object by adding it again") : notTrusted("repair an object");
}

const addSignatures: WorkerHandler = async (session) => {
  const path = await session.reader.path();
  const signatures = await session.reader.texts();
  session.begin();
  if (!session.trusted) throw notTrusted("add signatures");
  await session.need("addSignatures", "add signatures")(path, signatures);
  session.end().number(1);
};

const addBuildLog: WorkerHandler = async (session) => {
  const { reader, store } = session;
  const drvPath: StorePath = storePathFromBaseName(await reader.text(), store.storeDirectory);
  session.begin();
  const frames = reader.frames();
  if (!session.trusted) throw notTrusted("add the log of a build");
  await session.need("addBuildLog", "keep the log of a build")(drvPath, frames);
  session.end().number(1);
};

const registerDrvOutput: WorkerHandler = async (session) => {
  const { reader, minor } = session;
  let realisation: string;
  if (minor >= 31) realisation = await reader.text();
  else {
    const id = await reader.text();
    const outPath = await reader.text();
    realisation = JSON.stringify({ dependentRealisations: {}, id, outPath, signatures: [] });
  }
  session.begin();
  if (!session.trusted) throw notTrusted("say what a derivation's output became");
  await session.need("registerRealisation", "record what a derivation's output became")(realisation);
  session.end();
};

const queryRealisation: WorkerHandler = async (session) => {
  const id = await session.reader.text();
  session.begin();
  const text = await session.services.queryRealisation?.(id);
  session.end().texts(text === undefined ? [] : [text]);
};

/** Operations that put something into the store. */
export const WORKER_ADDITIONS: readonly (readonly [number, WorkerHandler])[] = [
  [OPERATION.addToStore, addToStore],
  [OPERATION.addTextToStore, addTextToStore],
  [OPERATION.addToStoreNar, addToStoreNar],
  [OPERATION.addMultipleToStore, addMultipleToStore],
  [OPERATION.addSignatures, addSignatures],
  [OPERATION.addBuildLog, addBuildLog],
  [OPERATION.registerDrvOutput, registerDrvOutput],
  [OPERATION.queryRealisation, queryRealisation],
];

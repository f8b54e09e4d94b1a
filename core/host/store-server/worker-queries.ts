import { CodedError } from "../../base/index.ts";
import { outputNames } from "../../derivation/index.ts";
import { DIGEST_LENGTH, notValid, type StorePath } from "../../store/index.ts";
import { readTextMap, WORKER_OPERATION as OPERATION, writePathInfo, writeTextMap } from "../../store/wire/index.ts";
import { planMissing } from "./plan-missing.ts";
import { invalid } from "./realise.ts";
import type { Substitute } from "./served-store.ts";
import type { WorkerHandler } from "./worker-connection.ts";
import type { WorkerSession } from "./worker-session.ts";

/** An operation that asks about one path and answers with a set of paths. */
function askForPaths(find: (session: WorkerSession, path: StorePath) => Promise<Iterable<string>>): WorkerHandler {
  return async (session) => {
    const path = await session.reader.path();
    session.begin();
    const found = await find(session, path);
    session.end().set(found);
  };
}

const isValidPath: WorkerHandler = async (session) => {
  const path = await session.reader.path();
  session.begin();
  const valid = await session.store.isValid(path);
  session.end().bool(valid);
};

const queryPathInfo: WorkerHandler = async (session) => {
  const path = await session.reader.path();
  session.begin();
  const info = await session.store.queryPathInfo(path);
  const writer = session.end().bool(info !== undefined);
  if (info !== undefined) writePathInfo(writer, info, session.minor);
};

const queryPathFromHashPart: WorkerHandler = async (session) => {
  const digest = await session.reader.text(DIGEST_LENGTH);
  session.begin();
  if (digest.length !== DIGEST_LENGTH) {
    throw new CodedError(
      "store-path.malformed",
      `Cannot look up "${digest}": expected a digest of ${DIGEST_LENGTH} characters`,
    );
  }
  const path = await session.store.queryByDigest(digest);
  session.end().text(path);
};

const queryAllValidPaths: WorkerHandler = async (session) => {
  session.begin();
  const paths = await session.store.allPaths();
  const writer = session.end();
  await writer.list(paths, (path) => writer.text(path));
};

const queryValidPaths: WorkerHandler = async (session) => {
  const paths = await session.reader.paths();
  const substitute = session.minor >= 27 && (await session.reader.bool());
  session.begin();
  const { store, services } = session;
  if (substitute && session.settings.substitute && services.substitute !== undefined) {
    const missing = await invalid(store, paths);
    if (missing.length > 0) await services.substitute(missing, { events: session.report, signal: session.signal });
  }
  const missing = new Set(await invalid(store, paths));
  session.end().set(paths.filter((path) => !missing.has(path)));
};

async function findSubstitutes(session: WorkerSession, paths: readonly StorePath[]): Promise<Substitute[]> {
  if (!session.settings.substitute) return [];
  return [...((await session.services.findSubstitutes?.(paths))?.values() ?? [])];
}

const querySubstitutablePaths: WorkerHandler = async (session) => {
  const paths = await session.reader.paths();
  session.begin();
  const found = await findSubstitutes(session, paths);
  session.end().set(found.map(({ info }) => info.path));
};

function writeSubstitute(session: WorkerSession, { info, downloadBytes }: Substitute): void {
  session.writer.text(info.deriver).set(info.references).number(downloadBytes).number(info.narSize);
}

const querySubstitutablePathInfo: WorkerHandler = async (session) => {
  const path = await session.reader.path();
  session.begin();
  const [found] = await findSubstitutes(session, [path]);
  session.end().bool(found !== undefined);
  if (found !== undefined) writeSubstitute(session, found);
};

const querySubstitutablePathInfos: WorkerHandler = async (session) => {
  const { reader, minor } = session;
  const paths = minor >= 22 ? (Object.keys(await readTextMap(reader)) as StorePath[]) : await reader.paths();
  session.begin();
  const found = await findSubstitutes(session, paths);
  const writer = session.end().number(found.length);
  for (const each of found) {
    writer.text(each.info.path);
    writeSubstitute(session, each);
  }
};

const queryDerivationOutputMap: WorkerHandler = async (session) => {
  const drvPath = await session.reader.path();
  session.begin();
  const outputs = outputMap(session, drvPath);
  writeTextMap(session.end(), outputs);
};

/** Output name → path; empty where it is not known yet. */
function outputMap(session: WorkerSession, drvPath: StorePath): Record<string, string> {
  const { store } = session;
  const drv = store.readDerivation(drvPath);
  const pathOf = (name: string): string => drv.outputs[name]?.path || store.findOutput?.(drv, name) || "";
  return Object.fromEntries(outputNames(drv).map((name) => [name, pathOf(name)]));
}

const narFromPath: WorkerHandler = async (session) => {
  const path = await session.reader.path();
  session.begin();
  if (!(await session.store.isValid(path))) throw notValid(path);
  const nar = session.store.readNar(path);
  await session.end().raw(nar);
};

const queryMissing: WorkerHandler = async (session) => {
  const texts = await session.reader.texts();
  const wishes = texts.map((text) => session.parseWish(text));
  session.begin();
  const missing = await planMissing(session.services, wishes, session.settings);
  session
    .end()
    .set(missing.willBuild)
    .set(missing.willSubstitute)
    .set(missing.unknown)
    .number(missing.downloadBytes)
    .number(missing.narBytes);
};

/** Operations that change nothing. */
export const WORKER_QUERIES: readonly (readonly [number, WorkerHandler])[] = [
  [OPERATION.isValidPath, isValidPath],
  [OPERATION.queryReferrers, askForPaths(async ({ store }, path) => store.queryReferrers(path))],
  [OPERATION.queryValidDerivers, askForPaths(async ({ store }, path) => store.queryValidDerivers(path))],
  [
    OPERATION.queryDerivationOutputs,
    askForPaths(async (session, path) => Object.values(outputMap(session, path)).filter((output) => output !== "")),
  ],
  [
    OPERATION.queryDerivationOutputNames,
    askForPaths(async ({ store }, path) => outputNames(store.readDerivation(path))),
  ],
  [OPERATION.queryDerivationOutputMap, queryDerivationOutputMap],
  [OPERATION.queryPathInfo, queryPathInfo],
  [OPERATION.queryPathFromHashPart, queryPathFromHashPart],
  [OPERATION.queryAllValidPaths, queryAllValidPaths],
  [OPERATION.queryValidPaths, queryValidPaths],
  [OPERATION.querySubstitutablePaths, querySubstitutablePaths],
  [OPERATION.querySubstitutablePathInfo, querySubstitutablePathInfo],
  [OPERATION.querySubstitutablePathInfos, querySubstitutablePathInfos],
  [OPERATION.queryMissing, queryMissing],
  [OPERATION.narFromPath, narFromPath],
];

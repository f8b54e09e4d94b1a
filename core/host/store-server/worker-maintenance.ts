import { CodedError, sortedText } from "../../base/index.ts";
import { WORKER_OPERATION as OPERATION, readTextMap } from "../../store/wire/index.ts";
import { notTrusted } from "./failure.ts";
import type { CollectRequest } from "./served-store.ts";
import type { WorkerHandler } from "./worker-connection.ts";
import { applySettings } from "./client-settings.ts";

const COLLECT_ACTIONS = ["live", "dead", "delete", "delete-specific"] as const satisfies CollectRequest["action"][];

const setOptions: WorkerHandler = async (session) => {
  const { reader, minor } = session;
  const keepFailed = await reader.bool();
  const keepGoing = await reader.bool();
  // Whether to build when fetching fails, and how much to say.
  await reader.bool();
  await reader.number();
  const maxJobs = await reader.number();
  const maxSilentSeconds = await reader.number();
  // Hook, verbosity of builds, kind of log, trace of builds: none of them means anything any more.
  for (let i = 0; i < 4; i++) await reader.number();
  const cores = await reader.number();
  const substitute = await reader.bool();
  const named = minor >= 12 ? await readTextMap(reader) : {};
  session.begin();
  const base = { keepFailed, keepGoing, maxJobs, maxSilentSeconds, cores, substitute };
  const { settings, refused } = applySettings(base, named, session.trusted);
  session.settings = settings;
  for (const name of refused) session.say(`the setting "${name}" is ignored: only trusted users may change it`);
  for (const words of (await session.services.configure?.(named, session.trusted)) ?? []) session.say(words);
  session.end();
};

const addTempRoot: WorkerHandler = async (session) => {
  const path = await session.reader.path();
  session.begin();
  session.store.addTempRoot(path);
  session.end().number(1);
};

const addIndirectRoot: WorkerHandler = async (session) => {
  const link = await session.reader.text();
  session.begin();
  checkAbsolute(link);
  session.need("registerRoot", "register a root")(link);
  session.end().number(1);
};

const addPermRoot: WorkerHandler = async (session) => {
  const path = await session.reader.path();
  const link = await session.reader.text();
  session.begin();
  if (!session.trusted) throw notTrusted("make a root");
  checkAbsolute(link);
  session.need("addPermanentRoot", "make a root")(link, path);
  session.end().text(link);
};

function checkAbsolute(link: string): void {
  if (link.startsWith("/") && !link.includes("\0")) return;
  throw new CodedError("store-server.root", `Cannot register the root "${link}": expected an absolute path`);
}

/** Every root we are told of is seen by a collection that runs, so there is nothing to wait for. */
const syncWithGc: WorkerHandler = async (session) => {
  session.begin();
  session.end().number(1);
};

const findRoots: WorkerHandler = async (session) => {
  session.begin();
  const roots = await session.need("findRoots", "list the roots")();
  const writer = session.end();
  await writer.list(roots, ({ link, path }) => writer.text(session.trusted ? link : "{censored}").text(path));
};

const collectGarbage: WorkerHandler = async (session) => {
  const { reader } = session;
  const action = COLLECT_ACTIONS[await reader.number(COLLECT_ACTIONS.length - 1)] as CollectRequest["action"];
  const paths = await reader.paths();
  const ignoreLiveness = await reader.bool();
  const maxFreedBytes = Number(await reader.wideNumber());
  for (let i = 0; i < 3; i++) await reader.number();
  session.begin();
  if (ignoreLiveness) {
    throw new CodedError(
      "store-server.ignore-liveness",
      "Cannot delete objects that are alive: no client may ask for it",
    );
  }
  const collected = await session.need("collect", "collect garbage")({ action, paths, maxFreedBytes });
  const writer = session.end();
  await writer.list(sortedText(collected.paths), (path) => writer.text(path));
  writer.number(collected.freedBytes).number(0);
};

const optimiseStore: WorkerHandler = async (session) => {
  session.begin();
  await session.need("optimise", "share equal files of the store")();
  session.end().number(1);
};

const verifyStore: WorkerHandler = async (session) => {
  const contents = await session.reader.bool();
  const repair = await session.reader.bool();
  session.begin();
  if (repair && !session.trusted) throw notTrusted("repair the store");
  const verify = session.need("verify", "verify the store");
  const faultsLeft = await verify({ contents, repair }, (line) => session.say(line));
  session.end().bool(faultsLeft);
};

/** Operations on the store as a whole, and on what keeps its objects. */
export const WORKER_MAINTENANCE: readonly (readonly [number, WorkerHandler])[] = [
  [OPERATION.setOptions, setOptions],
  [OPERATION.addTempRoot, addTempRoot],
  [OPERATION.addIndirectRoot, addIndirectRoot],
  [OPERATION.addPermRoot, addPermRoot],
  [OPERATION.syncWithGc, syncWithGc],
  [OPERATION.findRoots, findRoots],
  [OPERATION.collectGarbage, collectGarbage],
  [OPERATION.optimiseStore, optimiseStore],
  [OPERATION.verifyStore, verifyStore],
];

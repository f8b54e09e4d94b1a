import { CodedError, raise } from "../../base/index.ts";
import { checkOutputPaths, type Derivation, derivationNameOf, outputKind } from "../../derivation/index.ts";
import type { StorePath } from "../../store/index.ts";
import {
  BUILD_MODE,
  formatDerivedPath,
  readBasicDerivation,
  workerBuildResultParts,
  WORKER_OPERATION as OPERATION,
  writeBuildResult,
} from "../../store/wire/index.ts";
import { notTrusted, unsupported } from "./failure.ts";
import { firstFailure, realise, type Realised } from "./realise.ts";
import type { WorkerHandler } from "./worker-connection.ts";
import type { WorkerSession } from "./worker-session.ts";

/** Read what is wanted and how, then make it valid. */
async function realiseWishes(session: WorkerSession): Promise<Realised[]> {
  const texts = await session.reader.texts();
  const mode = session.minor >= 15 ? await session.reader.number(BUILD_MODE.check) : BUILD_MODE.normal;
  const wishes = texts.map((text) => session.parseWish(text));
  session.begin();
  return realise(session.services, wishes, realiseOptions(session, mode));
}

function realiseOptions(session: WorkerSession, mode: number) {
  if (mode === BUILD_MODE.repair) {
    throw session.trusted ? unsupported("repair by building") : notTrusted("repair by building");
  }
  const { settings, signal, report: events } = session;
  return { settings, signal, events, rebuild: mode === BUILD_MODE.check };
}

const buildPaths: WorkerHandler = async (session) => {
  const error = firstFailure(await realiseWishes(session));
  if (error !== undefined) throw error;
  session.end().number(1);
};

const buildPathsWithResults: WorkerHandler = async (session) => {
  const realised = await realiseWishes(session);
  const writer = session.end().number(realised.length);
  for (const { wanted, result } of realised) {
    writer.text(formatDerivedPath(wanted));
    writeBuildResult(writer, result, workerBuildResultParts(session.minor));
  }
};

const buildDerivation: WorkerHandler = async (session) => {
  const { reader } = session;
  const drvPath = await reader.path();
  const basic = await readBasicDerivation(reader);
  const mode = await reader.number(BUILD_MODE.check);
  session.begin();
  const drv: Derivation = { ...basic, name: derivationNameOf(drvPath), inputDerivations: new Map() };
  checkMayBuild(session, drv);
  const [realised] = await realise(session.services, [{ kind: "outputs", drvPath, outputs: "all" }], {
    ...realiseOptions(session, mode),
    derivations: new Map([[drvPath, drv]]),
  });
  writeBuildResult(session.end(), (realised as Realised).result, workerBuildResultParts(session.minor));
};

/**
 * The outputs of an input-addressed derivation can be anything, and nobody could tell from their paths: only who is trusted
 * may send one. Where content decides the path there is nothing to gain, once the stated path was checked.
 */
function checkMayBuild({ trusted, store }: WorkerSession, drv: Derivation): void {
  const kinds = new Set(Object.values(drv.outputs).map(outputKind));
  const byContent = [...kinds].every((kind) => kind === "fixed" || kind === "floating");
  if (kinds.size === 0) throw new CodedError("derivation.no-outputs", `Cannot build "${drv.name}": it has no outputs`);
  if (!byContent && !trusted)
    throw notTrusted(`build "${drv.name}", whose outputs are not addressed by their content,`);
  if (!byContent) return;
  const inputs = (): never => {
    throw new CodedError("derivation.inconsistent", `Cannot build "${drv.name}": its inputs are not built`);
  };
  raise(checkOutputPaths(drv, { inputs, storeDirectory: store.storeDirectory }));
}

const ensurePath: WorkerHandler = async (session) => {
  const path: StorePath = await session.reader.path();
  session.begin();
  const error = firstFailure(
    await realise(session.services, [{ kind: "object", path }], realiseOptions(session, BUILD_MODE.normal)),
  );
  if (error !== undefined) throw error;
  session.end().number(1);
};

/** Operations that make something valid. */
export const WORKER_BUILDS: readonly (readonly [number, WorkerHandler])[] = [
  [OPERATION.buildPaths, buildPaths],
  [OPERATION.buildPathsWithResults, buildPathsWithResults],
  [OPERATION.buildDerivation, buildDerivation],
  [OPERATION.ensurePath, ensurePath],
];

import { CodedError, compareText } from "../../base/index.ts";
import type { BuildEvent, BuildTarget } from "../../build/index.ts";
import { type Derivation, hashDerivationModulo, makeInputHashes, outputNames } from "../../derivation/index.ts";
import {
  formatRealisation,
  makeRealisationId,
  notValid,
  parseRealisation,
  type StorePath,
  storePathName,
} from "../../store/index.ts";
import { BUILD_STATUS, type DerivedPath, formatDerivedPath, type WireBuildResult } from "../../store/wire/index.ts";
import { failureText, unsupported } from "./failure.ts";
import type { ClientSettings, ServedStore, StoreServices } from "./served-store.ts";

export interface RealiseOptions {
  readonly settings: ClientSettings;
  readonly rebuild: boolean;
  readonly events: (event: BuildEvent) => void;
  readonly signal?: AbortSignal | undefined;
  /** Derivations that were sent along and need not be in the store. */
  readonly derivations?: ReadonlyMap<StorePath, Derivation> | undefined;
}

/** How one wish was fulfilled, or why not. */
export interface Realised {
  readonly wanted: DerivedPath;
  readonly result: WireBuildResult;
  readonly error?: CodedError | undefined;
}

const NOTHING_RUN = {
  message: "",
  timesBuilt: 0,
  isNonDeterministic: false,
  startTime: 0,
  stopTime: 0,
  builtOutputs: {},
} as const;

/** What a failed build is to the protocols; everything else is "something went wrong". */
const STATUS_BY_CODE: Readonly<Record<string, number>> = {
  "build.failed": BUILD_STATUS.permanentFailure,
  "build.timeout": BUILD_STATUS.timedOut,
  "build.log-too-large": BUILD_STATUS.logLimitExceeded,
  "build.hash-mismatch": BUILD_STATUS.outputRejected,
  "build.missing-output": BUILD_STATUS.outputRejected,
  "build.forbidden-reference": BUILD_STATUS.outputRejected,
  "build.not-deterministic": BUILD_STATUS.notDeterministic,
  "build.disk-full": BUILD_STATUS.transientFailure,
};

/**
 * Make everything valid that is wanted, as far as it goes: objects come from other stores, outputs are built.
 *
 * @returns One answer for each wish, objects first, then by name, as Nix sorts them.
 */
export async function realise(
  services: StoreServices,
  wishes: readonly DerivedPath[],
  options: RealiseOptions,
): Promise<Realised[]> {
  const distinct = new Map(wishes.map((wanted) => [formatDerivedPath(wanted), wanted]));
  const sorted = [...distinct.values()].sort((a, b) => compareText(sortKey(a), sortKey(b)));
  const fetched = await fetchObjects(services, sorted, options);
  const answers = new Map<DerivedPath, Realised>();
  const toBuild: (DerivedPath & { kind: "outputs" })[] = [];
  for (const wanted of sorted) {
    const path = pathOf(wanted);
    const isThere = options.derivations?.has(path) === true || (await services.store.isValid(path));
    if (isThere && wanted.kind === "outputs") toBuild.push(wanted);
    else if (isThere) {
      const status = fetched.has(path) ? BUILD_STATUS.substituted : BUILD_STATUS.alreadyValid;
      answers.set(wanted, { wanted, result: { ...NOTHING_RUN, status } });
    } else {
      const status = wanted.kind === "object" ? BUILD_STATUS.noSubstituters : BUILD_STATUS.miscFailure;
      answers.set(wanted, failed(wanted, notValid(path), status));
    }
  }
  for (const answer of await buildOutputs(services, toBuild, options)) answers.set(answer.wanted, answer);
  return sorted.map((wanted) => answers.get(wanted) as Realised);
}

/** Let other stores give the objects, and the derivations whose outputs are wanted, that are not there. @returns Those. */
async function fetchObjects(
  { store, substitute }: StoreServices,
  wishes: readonly DerivedPath[],
  { settings, derivations, events, signal }: RealiseOptions,
): Promise<ReadonlySet<StorePath>> {
  const missing = new Set<StorePath>();
  for (const path of wishes.map(pathOf)) {
    if (derivations?.has(path) === true) continue;
    store.addTempRoot(path);
    if (!(await store.isValid(path))) missing.add(path);
  }
  if (missing.size > 0 && settings.substitute) await substitute?.([...missing], { events, signal });
  return missing;
}

/** Those that are not valid. */
export async function invalid(store: Pick<ServedStore, "isValid">, paths: readonly StorePath[]): Promise<StorePath[]> {
  const missing: StorePath[] = [];
  for (const path of paths) if (!(await store.isValid(path))) missing.push(path);
  return missing;
}

function pathOf(wanted: DerivedPath): StorePath {
  return wanted.kind === "object" ? wanted.path : wanted.drvPath;
}

export function targetOf({ drvPath, through, outputs }: DerivedPath & { kind: "outputs" }): BuildTarget {
  return { drvPath, ...(through === undefined ? {} : { through }), ...(outputs === "all" ? {} : { outputs }) };
}

async function buildOutputs(
  services: StoreServices,
  wishes: readonly (DerivedPath & { kind: "outputs" })[],
  options: RealiseOptions,
): Promise<Realised[]> {
  if (wishes.length === 0) return [];
  if (services.build === undefined) throw unsupported("build");
  const times = new Map<StorePath, { start: number; stop: number }>();
  const targets = wishes.map(targetOf);
  const answer = await services.build({
    targets,
    derivations: options.derivations,
    settings: options.settings,
    rebuild: options.rebuild,
    events: (event) => {
      noteTime(times, event);
      options.events(event);
    },
    signal: options.signal,
  });
  const failures = new Map(answer.failures.map(({ drvPath, error }) => [drvPath, error]));
  const lost = new Set(answer.dependencyFailed);
  const built = new Set(answer.built);
  const read = (path: StorePath): Derivation => options.derivations?.get(path) ?? services.store.readDerivation(path);
  const inputs = makeInputHashes(read);
  const results: Realised[] = [];
  for (const [i, wanted] of wishes.entries()) {
    const target = targets[i] as BuildTarget;
    const { drvPath, through } = answer.followed.get(target) ?? target;
    const isLost = lost.has(drvPath) || (through !== undefined && answer.failures.length > 0);
    const error = failures.get(drvPath) ?? (isLost ? dependencyFailed(drvPath, answer.failures) : undefined);
    const time = times.get(drvPath) ?? { start: 0, stop: 0 };
    const ran = { timesBuilt: times.has(drvPath) ? 1 : 0, startTime: time.start, stopTime: time.stop };
    if (error === undefined && answer.cancelled) {
      const cancelled = new CodedError("build.cancelled", `Cannot build "${drvPath}": it was cancelled`);
      results.push(failed(wanted, cancelled, BUILD_STATUS.miscFailure));
    } else if (error === undefined) {
      const drv = read(drvPath);
      const names = wanted.outputs === "all" ? outputNames(drv) : wanted.outputs;
      const { hashes } = hashDerivationModulo(drv, { masked: true, inputs });
      const builtOutputs: Record<string, string> = {};
      for (const name of names) {
        const id = makeRealisationId(hashes.get(name) as Uint8Array, name);
        const text = await realisationText(services, id, drv.outputs[name]?.path ?? "");
        if (text !== undefined) builtOutputs[id] = text;
      }
      const status = built.has(drvPath) ? BUILD_STATUS.built : BUILD_STATUS.alreadyValid;
      results.push({ wanted, result: { ...NOTHING_RUN, ...ran, status, builtOutputs } });
    } else {
      const status = lost.has(drvPath)
        ? BUILD_STATUS.dependencyFailed
        : (STATUS_BY_CODE[error.code] ?? BUILD_STATUS.miscFailure);
      results.push(failed(wanted, error, status, ran));
    }
  }
  return results;
}

/** What an output is: known from the derivation, else as it was recorded. */
export async function realisationText(
  { queryRealisation }: Pick<StoreServices, "queryRealisation">,
  id: string,
  path: string,
): Promise<string | undefined> {
  const recorded = await queryRealisation?.(id);
  if (recorded !== undefined) return formatRealisation(parseRealisation(recorded));
  if (path === "") return undefined;
  return formatRealisation({ id, outPath: path as StorePath, dependentRealisations: new Map(), signatures: [] });
}

/** One error for all that failed, to be told where no results are. */
export function firstFailure(realised: readonly Realised[]): CodedError | undefined {
  const errors = [...new Set(realised.flatMap(({ error }) => (error === undefined ? [] : [error])))];
  const [first] = errors;
  if (first === undefined || errors.length === 1) return first;
  return new CodedError(first.code, first.message, {
    details: [...(first.details ?? []), ...errors.slice(1).map((error) => error.message)],
    exitCode: first.exitCode,
  });
}

function failed(wanted: DerivedPath, error: CodedError, status: number, ran: Partial<WireBuildResult> = {}): Realised {
  return { wanted, error, result: { ...NOTHING_RUN, ...ran, status, message: failureText(error) } };
}

function dependencyFailed(drvPath: StorePath, failures: readonly { readonly error: CodedError }[]): CodedError {
  const causes = failures.map(({ error }) => error.message);
  return new CodedError("build.dependency-failed", `Cannot build "${drvPath}": something it needs failed`, {
    details: causes,
    exitCode: 100,
  });
}

function noteTime(times: Map<StorePath, { start: number; stop: number }>, event: BuildEvent): void {
  const now = Math.floor(Date.now() / 1000);
  if (event.kind === "started") times.set(event.drvPath, { start: now, stop: now });
  else if (event.kind === "built" || event.kind === "failed") {
    const time = times.get(event.drvPath);
    if (time !== undefined) time.stop = now;
  }
}

function sortKey(wanted: DerivedPath): string {
  if (wanted.kind === "object") return `a$${storePathName(wanted.path)}$${wanted.path}`;
  return `b$${storePathName(wanted.drvPath)}$${formatDerivedPath(wanted)}`;
}

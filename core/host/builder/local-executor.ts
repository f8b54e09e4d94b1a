import { tmpdir } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { CodedError } from "../../base/index.ts";
import {
  type BuildEvent,
  type BuildOutcome,
  type BuildRequest,
  type Executor,
  isFloating,
  outputPath,
  runsOutside,
  sharesNetwork,
  shortName,
  withScratchOutputs,
} from "../../build/index.ts";
import { type Derivation, makeInputHashes, outputNames } from "../../derivation/index.ts";
import { type PathInfo, type SecretKey, signPathInfo, type StorePath, withSignatures } from "../../store/index.ts";
import { ed25519 } from "../signing/index.ts";
import { compareOutputs } from "./compare.ts";
import { checkDerivationOutput } from "./derivation-outputs.ts";
import {
  addressesOf,
  argumentsTooLong,
  diskFull,
  findFullDisk,
  isNoSpace,
  offline,
  outputTooDeep,
} from "./failures.ts";
import { runHook } from "./hooks.ts";
import { checkOwnership, collectOutputs, copyOutputs, hostPlace, makeRoom, moveOutputs } from "./outputs.ts";
import { checkPlatform, findPlatform, type Platform } from "./platform.ts";
import { RegistrationQueue } from "./registration.ts";
import { type PreparedBuild, Preparations } from "./preparations.ts";
import { type BuilderEnd, BuilderRunner, type BuilderRunnerOptions } from "./run-builder.ts";
import { SpareTime } from "./spare-time.ts";
import { openWorkspace, type Workspace } from "./workspace.ts";

export interface LocalExecutorOptions extends Omit<BuilderRunnerOptions, "spareTime"> {
  /** Makes outputs valid. Default: a queue of this executor's own. */
  readonly registration?: RegistrationQueue;
  /** Download nothing. Default false. */
  readonly offline?: boolean;
  /** Outputs are signed with these. Default none. */
  readonly secretKeys?: readonly SecretKey[] | undefined;
  readonly platform?: Platform;
  /** As in `BuildSettings`. */
  readonly diffHook?: string | undefined;
  /** As in `BuildOptions`. */
  readonly onRebuilt?: ((output: PathInfo, place: string) => Promise<void>) | undefined;
}

/** The sandbox of this machine. */
export class LocalExecutor implements Executor {
  readonly #options: LocalExecutorOptions;
  readonly #registration: RegistrationQueue;
  readonly #runner: BuilderRunner;
  readonly #spareTime = new SpareTime();
  readonly #preparations: Preparations;
  readonly #platform: Platform;

  constructor(options: LocalExecutorOptions) {
    this.#options = options;
    this.#registration = options.registration ?? new RegistrationQueue(options.store);
    this.#runner = new BuilderRunner({ ...options, spareTime: this.#spareTime });
    this.#platform = options.platform ?? findPlatform();
    this.#preparations = new Preparations({
      spareTime: this.#spareTime,
      lock: async (paths) => options.store.lockPaths(paths, { wait: false, lockFile: await this.#runner.fileLocker() }),
      openWorkspace: (drvPath, name) => this.#openWorkspace(drvPath, name),
    });
  }

  /** Builds are about to come: begin with what the first one would wait for. What fails is told to that one. */
  warmUp(): void {
    this.#runner.warmUp();
  }

  /** What waits for company or for a quiet moment is done now. */
  hurry(): void {
    this.#spareTime.use();
    this.#registration.hurry();
  }

  /** A build is the next one: take its locks and make its directories while the one before it runs. */
  prepare({ drvPath, drv }: Pick<BuildRequest, "drvPath" | "drv">): void {
    if (!this.#options.sandbox || isFloating(drv) || drv.builder.startsWith("builtin:")) return;
    const outputs = outputNames(drv).map((name) => outputPath(drvPath, drv, name));
    for (const path of [drvPath, ...outputs]) this.#options.store.addTempRoot(path);
    this.#preparations.begin({ drvPath, name: drv.name, outputs });
  }

  /** What was prepared will perhaps not be built: others may have its locks. */
  dropPrepared(): void {
    this.#preparations.drop();
  }

  /** Give back what was held for several builds. */
  async close(): Promise<void> {
    await this.#preparations.close();
    await this.#runner.close();
  }

  async execute(request: BuildRequest, emit: (event: BuildEvent) => void, signal: AbortSignal): Promise<BuildOutcome> {
    const started = performance.now();
    const failed = (error: CodedError, logPath?: string): BuildOutcome => ({
      kind: "failed",
      error,
      elapsedMs: performance.now() - started,
      logPath,
    });
    const { drv, drvPath } = request;
    const { store } = this.#options;
    const placed = withScratchOutputs(drvPath, drv);
    const locks: { release(): void }[] = [];
    let prepared: PreparedBuild | undefined;
    const names = outputNames(drv);
    const places = names.map((name) => outputPath(drvPath, placed, name));
    try {
      checkPlatform(drv, this.#platform);
      for (const path of [drvPath, ...places]) store.addTempRoot(path);
      // Where nobody knows the path, everybody locks by the derivation's name, as Nix does.
      const lockable = isFloating(drv) ? names.map((name) => `${drvPath}.${name}`) : places;
      prepared = await this.#preparations.take(drvPath);
      locks.push(prepared?.locks ?? (await this.#lock(lockable, request, emit, signal)));
      const valid = this.#validOutputs(drv);
      if (request.mode === "build" && valid.size === names.length) return { kind: "already-valid", outputs: valid };
      const workspace = prepared?.workspace;
      prepared = undefined;
      const built = await this.#build({ ...request, drv: placed }, { valid, locks, workspace }, emit, signal);
      if (built.kind === "failed") return failed(built.error, built.logPath);
      const held = locks.splice(0);
      const registration = built.fresh.length === 0 ? undefined : this.#registration.add(built.fresh);
      return {
        kind: "built",
        outputs: built.all,
        elapsedMs: performance.now() - started,
        logPath: built.logPath,
        peakMemoryBytes: built.peakMemoryBytes,
        registered: this.#completed(drvPath, [registration, built.tidied]).finally(() => releaseAll(held)),
      };
    } catch (error) {
      if (signal.aborted) return { kind: "cancelled" };
      if (isNoSpace(error)) return failed(this.#diskFull(drvPath, error));
      if (error instanceof CodedError) return failed(error);
      if ((error as NodeJS.ErrnoException).code === "E2BIG") return failed(argumentsTooLong(drvPath));
      if ((error as NodeJS.ErrnoException).code === "ENAMETOOLONG") return failed(outputTooDeep(drvPath));
      throw error;
    } finally {
      prepared?.removeWorkspace();
      releaseAll(locks);
    }
  }

  /** Wait until everything about a build is done, however it went. @throws the first failure of it; `build.disk-full` */
  async #completed(drvPath: StorePath, parts: readonly (Promise<void> | undefined)[]): Promise<void> {
    for (const part of await Promise.allSettled(parts)) {
      if (part.status === "fulfilled") continue;
      throw isNoSpace(part.reason) ? this.#diskFull(drvPath, part.reason) : part.reason;
    }
  }

  #diskFull(drvPath: StorePath, cause: unknown): CodedError {
    const { realStoreDirectory } = this.#options.store;
    return diskFull(drvPath, findFullDisk([realStoreDirectory, tmpdir()]) ?? realStoreDirectory, cause);
  }

  /** Lock without blocking, so that waiting for another process can be seen and cancelled. */
  async #lock(
    paths: readonly string[],
    { drvPath, askedAs = drvPath }: BuildRequest,
    emit: (event: BuildEvent) => void,
    signal: AbortSignal,
  ): Promise<{ release(): void }> {
    const lockFile = await this.#runner.fileLocker();
    for (let told = false; ; told = true) {
      signal.throwIfAborted();
      const lock = await this.#options.store.lockPaths([...paths], { wait: false, lockFile });
      if (lock !== undefined) return lock;
      // Who has this one may wait for what we only hold in advance.
      this.#preparations.drop();
      if (!told)
        emit({
          kind: "notice",
          drvPath: askedAs,
          message: `waiting for another process that makes ${shortName(drvPath)}`,
        });
      await pause(200, undefined, { signal });
    }
  }

  /** Outputs that are there already, by name. */
  #validOutputs(drv: Derivation): Map<string, StorePath> {
    const { store } = this.#options;
    const found = outputNames(drv).map((name) => [name, store.findOutput(drv, name)] as const);
    return new Map(
      found.filter((each): each is [string, StorePath] => each[1] !== undefined && store.isValid(each[1])),
    );
  }

  async #build(
    request: BuildRequest,
    {
      valid,
      locks,
      workspace: prepared,
    }: {
      readonly valid: ReadonlyMap<string, StorePath>;
      readonly locks: { release(): void }[];
      readonly workspace: Workspace | undefined;
    },
    emit: (event: BuildEvent) => void,
    signal: AbortSignal,
  ): Promise<
    | {
        kind: "built";
        all: ReadonlyMap<string, PathInfo>;
        fresh: PathInfo[];
        logPath: string | undefined;
        peakMemoryBytes: number | undefined;
        /** Fulfilled when the log is written and nothing else is left of the build. */
        tidied: Promise<void>;
      }
    | { kind: "failed"; error: CodedError; logPath: string | undefined }
  > {
    const { drv, drvPath } = request;
    const { store, closures } = this.#options;
    const isPlain = runsOutside(drv, this.#options.sandbox);
    const outputs = outputNames(drv).map((name) => outputPath(drvPath, drv, name));
    // Locked as they are, nothing changes about them. Scratch paths are nobody's.
    const known = new Set<StorePath>(valid.values());
    const missing = outputs.filter((path) => !known.has(path));
    // Without a sandbox there is nothing to keep it from the network.
    if (isPlain && this.#options.offline === true && sharesNetwork(drv)) throw offline(request.askedAs ?? drvPath, drv);
    if (isPlain) makeRoom(drv.name, outputs, new Set(missing), (path) => store.placeOf(path));
    const workspace = prepared ?? (await this.#openWorkspace(drvPath, drv.name));
    let ran: BuilderEnd | undefined;
    let isDone = false;
    const tidy = async (): Promise<void> => {
      const left = [workspace.topDirectory, ...(ran?.keptDirectory === true ? [] : [workspace.buildDirectory])];
      if (isPlain && (!isDone || isFloating(drv))) left.push(...missing.map((path) => store.placeOf(path)));
      await Promise.all([...left.map((path) => this.#runner.removeTree(path)), ran?.finishLog()]);
    };
    try {
      let owners: BuilderEnd["owners"];
      if (drv.builder.startsWith("builtin:")) await this.#runBuiltin(request, workspace, emit, signal);
      else {
        ran = await this.#runner.run(request, workspace, emit, signal);
        if (ran.error !== undefined)
          return { kind: "failed", error: this.#explain(ran.error, request), logPath: ran.logPath };
        owners = ran.owners;
        const made = isPlain ? store.realStoreDirectory : workspace.storeDirectory;
        checkOwnership(
          drv,
          outputs.map((path) => hostPlace(made, path)),
          owners,
        );
      }
      const finished = await this.#finishedDirectory(drv, workspace);
      const { infos, directory } = await collectOutputs({
        drvPath,
        drv,
        directory: finished,
        settledDirectory: `${workspace.topDirectory}/settled`,
        inputClosure: request.inputClosure,
        infoOf: (path) => closures.infoOf(path),
        // Copies are ours.
        owners: finished === workspace.storeDirectory ? owners : undefined,
        signal,
      });
      const inputs = makeInputHashes((path) => store.readDerivation(path));
      for (const info of Object.values(infos)) checkDerivationOutput(info, hostPlace(directory, info.path), inputs);
      const all = new Map(Object.entries(infos).map(([name, info]) => [name, this.#signed(info)]));
      const told = { logPath: ran?.logPath, peakMemoryBytes: ran?.peakMemoryBytes };
      if (request.mode === "compare") {
        const names = new Map([...all].map(([name, info]) => [info, name]));
        const error = await compareOutputs({
          drvPath,
          built: [...all.values()],
          directory,
          keep: this.#options.keepFailed,
          validOf: (info) => closures.infoOf(valid.get(names.get(info) as string) ?? info.path),
          realPath: (path) => store.realPath(path),
          placeOf: (path) => store.placeOf(path),
          onDiffering: (first, second) => this.#runDiffHook([first, second], request, workspace, emit, signal),
        });
        if (error !== undefined) return { kind: "failed", error, logPath: ran?.logPath };
        for (const info of all.values()) await this.#options.onRebuilt?.(info, hostPlace(directory, info.path));
        return { kind: "built", all, fresh: [], ...told, tidied: Promise.resolve() };
      }
      const settled = [...all.values()].map((info) => info.path);
      if (isFloating(drv)) {
        store.addTempRoots(settled);
        locks.push(await this.#lock(settled, request, emit, signal));
      }
      // An output that was valid before stays as it is; others refer to it by its path alone.
      const isKnown = isFloating(drv) ? (path: StorePath) => store.isValid(path) : (path: StorePath) => known.has(path);
      const fresh = [...all.values()].filter((info) => !isKnown(info.path));
      moveOutputs(directory, (path) => store.placeOf(path), fresh);
      closures.add(fresh);
      isDone = true;
      return { kind: "built", all, fresh, ...told, tidied: this.#spareTime.add(tidy) };
    } finally {
      if (!isDone) await tidy();
    }
  }

  /**
   * Let the hook of this machine show how two outputs differ. It reads what a builder made, so it is not root where builders are not.
   *
   * Source: Nix, `handleDiffHook`.
   */
  async #runDiffHook(
    outputs: readonly string[],
    { drvPath, askedAs = drvPath }: BuildRequest,
    workspace: Workspace,
    emit: (event: BuildEvent) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { diffHook: program } = this.#options;
    if (program === undefined || program === "") return;
    const tell = (message: string): void => emit({ kind: "notice", drvPath: askedAs, message });
    const args = [...outputs, drvPath, workspace.buildDirectory];
    const ending = await this.#runner.asBuildUser(workspace, (user) => runHook({ program, args, user, tell, signal }));
    // A comparison says with its exit code that it found something.
    if (ending !== undefined) tell(`the hook "${program}" ${ending}`);
  }

  #openWorkspace(drvPath: StorePath, name: string): Promise<Workspace> {
    const { store, keepFailed } = this.#options;
    return openWorkspace({ realStoreDirectory: store.realStoreDirectory, drvPath, name, mayBeKept: keepFailed });
  }

  /** Where the outputs lie when their builder has ended. */
  async #finishedDirectory(drv: Derivation, workspace: Workspace): Promise<string> {
    if (drv.builder.startsWith("builtin:")) return workspace.storeDirectory;
    const isOutside = runsOutside(drv, this.#options.sandbox);
    if (!isOutside && !sharesNetwork(drv)) return workspace.storeDirectory;
    // An accomplice outside may hold files open for writing, by the shared network or because there was no sandbox at all, but not those
    // of a copy. Nor has a copy the extended attributes that only a sandbox keeps builders from setting.
    const directory = `${workspace.topDirectory}/copies`;
    await copyOutputs(isOutside ? this.#options.store.realStoreDirectory : workspace.storeDirectory, directory, drv);
    return directory;
  }

  #signed(info: PathInfo): PathInfo {
    const { secretKeys = [] } = this.#options;
    return secretKeys.length === 0
      ? info
      : withSignatures(
          info,
          secretKeys.map((key) => signPathInfo(info, key, ed25519)),
        );
  }

  /** A builder that was to fetch something had no network. */
  #explain(error: CodedError, { drv, drvPath, askedAs = drvPath }: BuildRequest): CodedError {
    const isFetch = this.#options.offline === true && sharesNetwork(drv);
    return isFetch && error.code === "build.failed" ? offline(askedAs, drv, error) : error;
  }

  async #runBuiltin(
    { drv, drvPath, askedAs = drvPath }: BuildRequest,
    workspace: Workspace,
    emit: (event: BuildEvent) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const isDownload = addressesOf(drv).some((url) => !url.startsWith("file:"));
    if (this.#options.offline === true && isDownload) throw offline(askedAs, drv);
    const output = outputPath(drvPath, drv, "out");
    const { runBuiltin } = await import("../fetch/index.ts");
    await runBuiltin({
      drv,
      output: `${workspace.storeDirectory}/${output.slice(output.lastIndexOf("/") + 1)}`,
      scratch: workspace.storeDirectory,
      progress: (url, doneBytes, totalBytes) =>
        emit({ kind: "progress", drvPath: askedAs, url, doneBytes, totalBytes }),
      notice: (message) => emit({ kind: "notice", drvPath: askedAs, message }),
      signal,
    });
  }
}

function releaseAll(locks: readonly { release(): void }[]): void {
  for (const lock of locks) lock.release();
}

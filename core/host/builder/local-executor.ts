import { tmpdir } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { CodedError } from "../../base/index.ts";
import {
  type BuildEvent,
  type BuildOutcome,
  type BuildRequest,
  type Executor,
  outputPath,
  shortName,
} from "../../build/index.ts";
import { type Derivation, fixedOutputOf, outputNames } from "../../derivation/index.ts";
import type { PathInfo, StorePath } from "../../store/index.ts";
import { removeTree } from "../files/index.ts";
import { compareOutputs } from "./compare.ts";
import { argumentsTooLong, diskFull, findFullDisk, isNoSpace, offline } from "./failures.ts";
import { collectOutputs, copyOutputs, hostPlace, makeRoom, moveOutputs } from "./outputs.ts";
import { checkPlatform, findPlatform, type Platform } from "./platform.ts";
import { RegistrationQueue } from "./registration.ts";
import { BuilderRunner, type BuilderRunnerOptions } from "./run-builder.ts";
import { openWorkspace, type Workspace } from "./workspace.ts";

export interface LocalExecutorOptions extends BuilderRunnerOptions {
  /** Makes outputs valid. Default: a queue of this executor's own. */
  readonly registration?: RegistrationQueue;
  /** Download nothing. Default false. */
  readonly offline?: boolean;
  readonly platform?: Platform;
  /** As in `BuildOptions`. */
  readonly onRebuilt?: ((output: PathInfo, place: string) => Promise<void>) | undefined;
}

/** The sandbox of this machine. */
export class LocalExecutor implements Executor {
  readonly #options: LocalExecutorOptions;
  readonly #registration: RegistrationQueue;
  readonly #runner: BuilderRunner;
  readonly #platform: Platform;

  constructor(options: LocalExecutorOptions) {
    this.#options = options;
    this.#registration = options.registration ?? new RegistrationQueue(options.store);
    this.#runner = new BuilderRunner(options);
    this.#platform = options.platform ?? findPlatform();
  }

  /** Outputs that wait for company are registered now. */
  hurry(): void {
    this.#registration.hurry();
  }

  /** Give back what was held for several builds. */
  async close(): Promise<void> {
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
    const outputs = outputNames(drv).map((name) => outputPath(drvPath, drv, name));
    let lock: { release(): void } | undefined;
    let isLockOurs = true;
    try {
      checkPlatform(drv, this.#platform);
      for (const path of [drvPath, ...outputs]) store.addTempRoot(path);
      lock = await this.#lock(outputs, drvPath, emit, signal);
      const missing = outputs.filter((path) => !store.isValid(path));
      if (request.mode === "build" && missing.length === 0) return { kind: "already-valid" };
      const built = await this.#build(request, new Set(missing), emit, signal);
      if (built.kind === "failed") return failed(built.error, built.logPath);
      const release = lock;
      isLockOurs = false;
      const registered = built.fresh.length === 0 ? Promise.resolve() : this.#registration.add(built.fresh);
      return {
        kind: "built",
        outputs: built.all,
        elapsedMs: performance.now() - started,
        logPath: built.logPath,
        registered: registered.finally(() => release.release()),
      };
    } catch (error) {
      if (signal.aborted) return { kind: "cancelled" };
      if (isNoSpace(error))
        return failed(
          diskFull(drvPath, findFullDisk([store.realStoreDirectory, tmpdir()]) ?? store.realStoreDirectory, error),
        );
      if (error instanceof CodedError) return failed(error);
      if ((error as NodeJS.ErrnoException).code === "E2BIG") return failed(argumentsTooLong(drvPath));
      throw error;
    } finally {
      if (isLockOurs) lock?.release();
    }
  }

  /** Lock without blocking, so that waiting for another process can be seen and cancelled. */
  async #lock(
    paths: readonly StorePath[],
    drvPath: StorePath,
    emit: (event: BuildEvent) => void,
    signal: AbortSignal,
  ): Promise<{ release(): void }> {
    const lockFile = await this.#runner.fileLocker();
    for (let told = false; ; told = true) {
      signal.throwIfAborted();
      const lock = await this.#options.store.lockPaths([...paths], { wait: false, lockFile });
      if (lock !== undefined) return lock;
      if (!told)
        emit({ kind: "notice", drvPath, message: `waiting for another process that makes ${shortName(drvPath)}` });
      await pause(200, undefined, { signal });
    }
  }

  async #build(
    request: BuildRequest,
    missing: ReadonlySet<StorePath>,
    emit: (event: BuildEvent) => void,
    signal: AbortSignal,
  ): Promise<
    | { kind: "built"; all: PathInfo[]; fresh: PathInfo[]; logPath: string | undefined }
    | { kind: "failed"; error: CodedError; logPath: string | undefined }
  > {
    const { drv, drvPath } = request;
    const { store, closures } = this.#options;
    const isPlain = !this.#options.sandbox && !drv.builder.startsWith("builtin:");
    const outputs = outputNames(drv).map((name) => outputPath(drvPath, drv, name));
    if (isPlain) makeRoom(drv.name, outputs, missing, (path) => store.realPath(path));
    const workspace = await openWorkspace(store.realStoreDirectory, drvPath, drv.name);
    let keepDirectory = false;
    let isDone = false;
    try {
      let logPath: string | undefined;
      if (drv.builder.startsWith("builtin:")) await this.#runBuiltin(request, workspace, emit, signal);
      else {
        const ran = await this.#runner.run(request, workspace, emit, signal);
        logPath = ran.logPath;
        keepDirectory = ran.keptDirectory;
        if (ran.error !== undefined) return { kind: "failed", error: ran.error, logPath };
      }
      const directory = await this.#finishedDirectory(drv, workspace);
      const infos = await collectOutputs({
        drvPath,
        drv,
        directory,
        inputClosure: request.inputClosure,
        infoOf: (path) => closures.infoOf(path),
      });
      const all = Object.values(infos);
      if (request.mode === "compare") {
        const error = await compareOutputs({
          drvPath,
          built: all,
          directory,
          keep: this.#options.keepFailed,
          infoOf: (path) => closures.infoOf(path),
          realPath: (path) => store.realPath(path),
        });
        if (error !== undefined) return { kind: "failed", error, logPath };
        for (const info of all) await this.#options.onRebuilt?.(info, hostPlace(directory, info.path));
        return { kind: "built", all, fresh: [], logPath };
      }
      // An output that was valid before stays as it is; others refer to it by its path alone.
      const fresh = all.filter((info) => missing.has(info.path));
      if (directory !== store.realStoreDirectory) await moveOutputs(directory, (path) => store.realPath(path), fresh);
      closures.add(fresh);
      isDone = true;
      return { kind: "built", all, fresh, logPath };
    } finally {
      removeTree(workspace.topDirectory);
      if (isPlain && !isDone) for (const path of missing) removeTree(store.realPath(path));
      if (!keepDirectory) removeTree(workspace.buildDirectory);
    }
  }

  /** Where the outputs lie when their builder has ended. */
  async #finishedDirectory(drv: Derivation, workspace: Workspace): Promise<string> {
    if (drv.builder.startsWith("builtin:")) return workspace.storeDirectory;
    if (!this.#options.sandbox) return this.#options.store.realStoreDirectory;
    if (fixedOutputOf(drv) === undefined) return workspace.storeDirectory;
    // It shared the network: an accomplice outside may hold its files open for writing, but not those of a copy.
    const directory = `${workspace.topDirectory}/copies`;
    await copyOutputs(workspace.storeDirectory, directory, drv);
    return directory;
  }

  async #runBuiltin(
    { drv, drvPath }: BuildRequest,
    workspace: Workspace,
    emit: (event: BuildEvent) => void,
    signal: AbortSignal,
  ): Promise<void> {
    if (this.#options.offline === true) throw offline(drvPath);
    const output = outputPath(drvPath, drv, "out");
    const { runBuiltin } = await import("../fetch/index.ts");
    await runBuiltin({
      drv,
      output: `${workspace.storeDirectory}/${output.slice(output.lastIndexOf("/") + 1)}`,
      scratch: workspace.storeDirectory,
      progress: (url, doneBytes, totalBytes) => emit({ kind: "progress", drvPath, url, doneBytes, totalBytes }),
      notice: (message) => emit({ kind: "notice", drvPath, message }),
      signal,
    });
  }
}

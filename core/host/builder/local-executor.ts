import { closeSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { CodedError } from "../../base/index.ts";
import {
  type BuildEvent,
  type BuildOutcome,
  type BuildRequest,
  buildEnvironment,
  type Executor,
  outputPath,
  shortName,
} from "../../build/index.ts";
import { type Derivation, fixedOutputOf, outputNames } from "../../derivation/index.ts";
import type { PathInfo, StorePath } from "../../store/index.ts";
import { BuildLogWriter, LogLines } from "../build-log/index.ts";
import { removeTree } from "../files/index.ts";
import type { LocalStore } from "../local-store/index.ts";
import { TerminalPool } from "../process/index.ts";
import {
  findReadOnlyProc,
  findSandboxSupport,
  probeSandbox,
  type ProcessEnd,
  type RunningProcess,
  runInSandbox,
  runPlain,
  sandboxUnavailable,
  type SandboxSupport,
  writeSandboxEtc,
} from "../sandbox/index.ts";
import type { Closures } from "./closures.ts";
import { compareOutputs } from "./compare.ts";
import {
  argumentsTooLong,
  builderFailed,
  diskFull,
  type FailureContext,
  findFullDisk,
  isNoSpace,
  logTooLarge,
  timedOut,
} from "./failures.ts";
import { collectOutputs, copyOutputs, makeRoom, moveOutputs } from "./outputs.ts";
import { checkPlatform, findPlatform, type Platform, requiredFeatures } from "./platform.ts";
import { RegistrationQueue } from "./registration.ts";
import { watch } from "./watch.ts";
import { openWorkspace, placeInputs, type Workspace, writeBuildFiles, writeEnvironmentScript } from "./workspace.ts";

export interface LocalExecutorOptions {
  readonly store: LocalStore;
  readonly closures: Closures;
  /** Keep the build directory of a failed build, and the differing result of a comparison. */
  readonly keepFailed: boolean;
  /** Longest time a build may take, in seconds; 0 for any. */
  readonly timeoutSeconds: number;
  /** Longest time a build may write nothing, in seconds; 0 for any. */
  readonly maxSilentSeconds: number;
  /** Longest log in bytes; 0 for any. */
  readonly maxLogBytes: number;
  /** False runs builders without isolation; only in the store at `/`. */
  readonly sandbox: boolean;
  /** Environment for `impureEnvVars` of fixed outputs. */
  readonly callerEnvironment: Readonly<Record<string, string | undefined>>;
  /** How to find out whether builds can be isolated. Default: look at this machine. */
  readonly support?: () => SandboxSupport;
  readonly platform?: Platform;
}

/** The sandbox of this machine. */
export class LocalExecutor implements Executor {
  readonly #options: LocalExecutorOptions;
  readonly #registration: RegistrationQueue;
  readonly #terminals = new TerminalPool();
  readonly #platform: Platform;
  readonly #readOnlyProc = findReadOnlyProc();
  #support: SandboxSupport | undefined;
  #runDirectory: string | undefined;
  readonly #etc = new Map<boolean, string>();

  constructor(options: LocalExecutorOptions) {
    this.#options = options;
    this.#registration = new RegistrationQueue({
      registerOutputs: (infos) => options.store.registerOutputsLater(infos),
    });
    this.#platform = options.platform ?? findPlatform();
  }

  /** Outputs that wait for company are registered now. */
  hurry(): void {
    this.#registration.hurry();
  }

  /** Give back what was held for several builds. */
  async close(): Promise<void> {
    this.#terminals.close();
    if (this.#runDirectory !== undefined) removeTree(this.#runDirectory);
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
    for (let told = false; ; told = true) {
      signal.throwIfAborted();
      const lock = await this.#options.store.lockPaths([...paths], { wait: false });
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
        const ran = await this.#runBuilder(request, workspace, emit, signal);
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
        return error === undefined ? { kind: "built", all, fresh: [], logPath } : { kind: "failed", error, logPath };
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

  async #runBuilder(
    request: BuildRequest,
    workspace: Workspace,
    emit: (event: BuildEvent) => void,
    signal: AbortSignal,
  ): Promise<{ error: CodedError | undefined; logPath: string; keptDirectory: boolean }> {
    const { drv, drvPath } = request;
    const { store, closures, sandbox, maxLogBytes, maxSilentSeconds, timeoutSeconds } = this.#options;
    const environment = buildEnvironment({
      drv,
      inputClosure: request.inputClosure,
      graph: closures,
      cores: request.cores,
      callerEnvironment: this.#options.callerEnvironment,
      ...(sandbox ? {} : { buildDirectory: workspace.buildDirectory }),
    });
    writeBuildFiles(workspace, environment.files);

    const log = new BuildLogWriter(store.logDirectory, drvPath);
    const lines = new LogLines((item) => {
      emit(
        item.kind === "line"
          ? { kind: "log-line", drvPath, line: item.text }
          : { kind: "phase", drvPath, phase: item.phase },
      );
    });
    const guard = watch({ timeoutSeconds, maxSilentSeconds, maxLogBytes, signal });
    const receive = (chunk: Buffer): void => {
      log.write(chunk);
      lines.write(chunk);
      guard.heard(chunk.length);
    };
    const terminal = await this.#terminals.take();
    const output = terminal?.begin(receive);
    let end: ProcessEnd;
    try {
      let running: RunningProcess;
      try {
        running = sandbox
          ? this.#startSandboxed(request, workspace, environment, output, receive)
          : this.#startPlain(request, workspace, environment, output, receive);
      } finally {
        if (output !== undefined) closeSync(output);
      }
      guard.begin(running);
      end = await running.ended;
    } finally {
      guard.stop();
      await terminal?.end();
      if (terminal !== undefined) this.#terminals.giveBack(terminal);
      lines.end();
      await log.close();
    }
    signal.throwIfAborted();
    const stopped = guard.stoppedBy();
    if (stopped === undefined && end.kind === "exited" && end.code === 0)
      return { error: undefined, logPath: log.path, keptDirectory: false };

    if (end.kind === "not-started" && sandbox) throw explainSandbox(drvPath, lines.tail());
    const keptDirectory = this.#options.keepFailed;
    if (keptDirectory) writeEnvironmentScript(workspace.buildDirectory, environment.environment);
    const context: FailureContext = {
      drvPath,
      tail: lines.tail(),
      keptDirectory: keptDirectory ? workspace.buildDirectory : undefined,
    };
    return { error: this.#failure(stopped, end, context), logPath: log.path, keptDirectory };
  }

  #failure(
    stopped: ReturnType<ReturnType<typeof watch>["stoppedBy"]>,
    end: ProcessEnd,
    context: FailureContext,
  ): CodedError {
    const { maxLogBytes, maxSilentSeconds, timeoutSeconds, store } = this.#options;
    if (stopped === "time") return timedOut(`it took longer than ${timeoutSeconds} s`, context);
    if (stopped === "silence") return timedOut(`it wrote nothing for ${maxSilentSeconds} s`, context);
    if (stopped === "log") return logTooLarge(maxLogBytes, context);
    const full = findFullDisk([store.realStoreDirectory, tmpdir()]);
    if (full !== undefined) return diskFull(context.drvPath, full);
    if (end.kind === "killed") return builderFailed(`was killed by ${end.signal}`, context);
    if (end.kind === "exited") return builderFailed(`ended with exit code ${end.code}`, context);
    return builderFailed("could not be started", context);
  }

  #startSandboxed(
    request: BuildRequest,
    workspace: Workspace,
    environment: ReturnType<typeof buildEnvironment>,
    output: number | undefined,
    receive: (chunk: Buffer) => void,
  ): RunningProcess {
    const { drv, inputClosure } = request;
    const { store } = this.#options;
    this.#support ??= (this.#options.support ?? findSandboxSupport)();
    if (this.#support.kind !== "available") throw sandboxUnavailable(this.#support);
    if (drv.env["__noChroot"] === "1") {
      throw new CodedError(
        "build.no-chroot",
        `Cannot build "${drv.name}": it asks to run outside the sandbox ("__noChroot")`,
        {
          hint: "Take the attribute away, or say --no-sandbox to build without isolation.",
          exitCode: 100,
        },
      );
    }
    const network = fixedOutputOf(drv) !== undefined;
    return runInSandbox({
      program: this.#support.program,
      spec: {
        storeDirectory: workspace.storeDirectory,
        inputs: placeInputs(workspace, inputClosure, (path) => store.realPath(path)),
        buildDirectory: workspace.buildDirectory,
        etcDirectory: this.#etcDirectory(network),
        environment: environment.environment,
        network,
        devices: requiredFeatures(drv).includes("kvm") ? ["/dev/kvm"] : [],
        // libc's system() and popen() know no other shell; a derivation names the one of its inputs that is to be it.
        shell: drv.env["sandboxShell"],
        readOnlyProc: this.#readOnlyProc,
      },
      builder: environment.builder,
      args: environment.args,
      argumentsFile: `${workspace.topDirectory}/arguments`,
      output,
      receive,
    });
  }

  #startPlain(
    request: BuildRequest,
    workspace: Workspace,
    environment: ReturnType<typeof buildEnvironment>,
    output: number | undefined,
    receive: (chunk: Buffer) => void,
  ): RunningProcess {
    if (this.#options.store.root !== "/") {
      throw new CodedError(
        "build.no-sandbox-elsewhere",
        `Cannot build "${request.drv.name}" without a sandbox: the store lies below "${this.#options.store.root}", builders expect /nix/store`,
        {
          hint: "Leave --no-sandbox away, or use the store at /nix/store.",
          exitCode: 100,
        },
      );
    }
    return runPlain({
      builder: environment.builder,
      args: environment.args,
      environment: environment.environment,
      directory: workspace.buildDirectory,
      output,
      receive,
    });
  }

  /** The `/etc` of sandboxes, written once in a run. */
  #etcDirectory(network: boolean): string {
    const known = this.#etc.get(network);
    if (known !== undefined) return known;
    this.#runDirectory ??= mkdtempSync(`${tmpdir()}/floe-run-`);
    const directory = `${this.#runDirectory}/${network ? "etc-network" : "etc"}`;
    writeSandboxEtc(directory, { network });
    this.#etc.set(network, directory);
    return directory;
  }
}

/** bubblewrap ended before the builder began: tell why, in our words when we know them. */
function explainSandbox(drvPath: StorePath, tail: readonly string[]): CodedError {
  const support = probeSandbox();
  if (support.kind !== "available") return sandboxUnavailable(support);
  const said = tail.filter((line) => line.startsWith("bwrap: "));
  return new CodedError(
    "sandbox.failed",
    `Cannot make a sandbox for "${shortName(drvPath)}": ${said.at(-1) ?? "bubblewrap ended early"}`,
    { exitCode: 100 },
  );
}

import { chmodSync, chownSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { CodedError } from "../../base/index.ts";
import {
  type BuildEvent,
  type BuildRequest,
  buildEnvironment,
  runsOutside,
  type SandboxMode,
  sharesNetwork,
  shortName,
} from "../../build/index.ts";
import { STORE_DIRECTORY, type StorePath } from "../../store/index.ts";
import { BuildLogWriter, LogLines } from "../build-log/index.ts";
import { makeScratch, removeTree, sweepScratch } from "../files/index.ts";
import type { LocalStore, LockPathsOptions } from "../local-store/index.ts";
import { TerminalPool, withTerminal } from "../process/index.ts";
import {
  type BuildUser,
  findReadOnlyProc,
  findSandboxSupport,
  makeSystemCallFilter,
  type OpenSandbox,
  openSandbox,
  probeSandbox,
  type ProcessEnd,
  type RunningProcess,
  runPlain,
  sandboxUnavailable,
  type SandboxSupport,
  writeSandboxEtc,
} from "../sandbox/index.ts";
import { BuildUserPool, canHaveBuildUsers, IDS_PER_SLOT, groupOfDevice, type HeldUser } from "./build-users.ts";
import type { Closures } from "./closures.ts";
import { BuildGroup } from "./control-group.ts";
import {
  builderFailed,
  diskFull,
  type FailureContext,
  findFullDisk,
  logTooLarge,
  outOfMemory,
  timedOut,
} from "./failures.ts";
import type { Owners } from "./outputs.ts";
import { requiredFeatures, wantsUserRange } from "./platform.ts";
import type { SpareTime } from "./spare-time.ts";
import { type HeldRange, SubordinateRange } from "./user-range.ts";
import { watch } from "./watch.ts";
import { giveWorkspace, placeInputs, type Workspace, writeBuildFiles, writeEnvironmentScript } from "./workspace.ts";

export interface BuilderRunnerOptions {
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
  /** Lines of the log to show of a failed build. */
  readonly logLines: number;
  /** Processes and threads one build may have at once. */
  readonly maxProcesses: number;
  /** Without isolation builders run only in the store at `/`. */
  readonly sandbox: SandboxMode;
  /** Let programs of builders gain rights. Default false. */
  readonly allowNewPrivileges?: boolean | undefined;
  /** Memory that each process of a builder may fill with data of its own, in bytes. Default any. */
  readonly maxProcessMemoryBytes?: number | undefined;
  /** Memory that all processes of one builder in a sandbox may use together, in bytes. Default any. */
  readonly maxMemoryBytes?: number | undefined;
  /** Told when a builder has begun to run. */
  readonly spareTime: SpareTime;
  /** Give no builder a network. Default false. */
  readonly offline?: boolean;
  /** Environment for `impureEnvVars`. */
  readonly callerEnvironment: Readonly<Record<string, string | undefined>>;
  /** How to find out whether builds can be isolated. Default: look at this machine. */
  readonly support?: () => SandboxSupport;
}

/** How a builder ended: `error` is absent when it succeeded. What it made was not looked at. */
export interface BuilderEnd {
  readonly error: CodedError | undefined;
  readonly logPath: string;
  /** Completes the log, which is small or nearly on the disk already; to be called once. */
  readonly finishLog: () => Promise<void>;
  /** Whether the build directory is to be kept. */
  readonly keptDirectory: boolean;
  /** The most memory it used, where that was counted. */
  readonly peakMemoryBytes: number | undefined;
  /** The users that may have made the outputs, when it was not we. */
  readonly owners: Owners | undefined;
}

/** What one builder is run with. */
interface Prepared {
  readonly request: BuildRequest;
  readonly workspace: Workspace;
  readonly environment: ReturnType<typeof buildEnvironment>;
  readonly receive: (chunk: Buffer) => void;
}

/** Runs the programs of builders: environment, sandbox, terminal, log, limits. What they make is looked at by others. */
export class BuilderRunner {
  readonly #options: BuilderRunnerOptions;
  readonly #terminals = new TerminalPool();
  readonly #users: BuildUserPool;
  readonly #range = new SubordinateRange();
  #sandbox: Promise<OpenSandbox> | undefined;
  #filter: Uint8Array | undefined;
  #runDirectory: string | undefined;
  #knownDiskBytes: number | undefined;
  #hasUsers: boolean | undefined;
  #warming: Promise<void> | undefined;
  readonly #etc = new Map<boolean, string>();

  constructor(options: BuilderRunnerOptions) {
    this.#options = options;
    this.#users = new BuildUserPool(options.store.stateDirectory);
  }

  /** Start what makes sandboxes, and find a user for the first build. */
  warmUp(): void {
    if (this.#options.sandbox === false) return;
    const warming = async (): Promise<void> => {
      const { hasUsers } = await this.#open();
      if (hasUsers && (this.#hasUsers ??= canHaveBuildUsers())) await this.#users.prepare();
    };
    this.#warming = warming().catch(() => {});
  }

  /** Give back what was held for several builds. */
  async close(): Promise<void> {
    this.#terminals.close();
    await this.#warming;
    // What could not be opened was told to those who asked for it.
    await (await this.#sandbox?.catch(() => undefined))?.sandbox.close();
    await this.#range.close();
    this.#users.close();
    if (this.#runDirectory !== undefined) removeTree(this.#runDirectory);
    sweepScratch();
  }

  /** Run a builder to its end. Errors as `buildEnvironment`, and `sandbox.*`, `build.no-chroot`, `build.no-sandbox-elsewhere`. */
  async run(
    request: BuildRequest,
    workspace: Workspace,
    emit: (event: BuildEvent) => void,
    signal: AbortSignal,
  ): Promise<BuilderEnd> {
    const { drv, askedAs: drvPath = request.drvPath } = request;
    const { store, closures, maxLogBytes, maxSilentSeconds, timeoutSeconds } = this.#options;
    const isOutside = runsOutside(drv, this.#options.sandbox);
    if (isOutside && wantsUserRange(drv)) throw noUserRange(drv.name, "it runs outside the sandbox");
    const environment = buildEnvironment({
      drv,
      inputClosure: request.inputClosure,
      graph: closures,
      cores: request.cores,
      callerEnvironment: this.#options.callerEnvironment,
      ...(isOutside ? { buildDirectory: workspace.buildDirectory } : {}),
    });
    writeBuildFiles(workspace, environment.files);

    const log = new BuildLogWriter(store.logDirectory, drvPath);
    const lines = new LogLines((item) => {
      emit(
        item.kind === "line"
          ? { kind: "log-line", drvPath, line: item.text }
          : { kind: "phase", drvPath, phase: item.phase },
      );
    }, this.#options.logLines);
    const guard = watch({ timeoutSeconds, maxSilentSeconds, maxLogBytes, signal });
    const receive = (chunk: Buffer): void => {
      log.write(chunk);
      lines.write(chunk);
      guard.heard(chunk.length);
    };
    const prepared: Prepared = { request, workspace, environment, receive };
    let end: ProcessEnd;
    let user: HeldUser | undefined;
    let range: HeldRange | undefined;
    let group: BuildGroup | undefined;
    let ranOut = false;
    let peakMemoryBytes: number | undefined;
    try {
      let opened = isOutside ? undefined : await this.#open();
      if (opened?.kind === "native" && !opened.hasUsers && wantsUserRange(drv) && process.getuid?.() !== 0) {
        range = await this.#range.hold(signal);
        ({ user } = range);
        opened = { ...opened, sandbox: range.sandbox };
        await range.give(workspace);
      } else if (opened?.hasUsers === true && (this.#hasUsers ??= canHaveBuildUsers())) {
        user = await this.#users.take();
        giveWorkspace(workspace, user);
      }
      const running = await (opened === undefined
        ? this.#startPlain(prepared)
        : this.#startSandboxed(opened, prepared, user, (group = this.#makeGroup(opened))));
      guard.begin(running);
      this.#options.spareTime.use();
      end = await running.ended;
      ranOut = group?.ranOut === true;
      // All together, or at least the largest one.
      peakMemoryBytes = group?.peakBytes ?? running.peakMemoryBytes;
    } catch (error) {
      await log.close();
      throw error;
    } finally {
      await group?.close();
      guard.stop();
      lines.end();
      try {
        await range?.takeBack(workspace);
      } finally {
        user?.release();
      }
    }
    const stopped = guard.stoppedBy();
    // What is taken back is ours.
    const owners =
      user === undefined || range !== undefined
        ? undefined
        : { first: user.uid, count: wantsUserRange(drv) ? IDS_PER_SLOT : 1 };
    const ended = { logPath: log.path, finishLog: () => log.close(), owners, peakMemoryBytes };
    if (stopped === undefined && end.kind === "exited" && end.code === 0 && !signal.aborted)
      return { ...ended, error: undefined, keptDirectory: false };

    await log.close();
    signal.throwIfAborted();
    if (end.kind === "not-started" && !isOutside) throw explainSandbox(drvPath, end.found, lines.tail());
    const keptDirectory = this.#options.keepFailed;
    if (keptDirectory) writeEnvironmentScript(workspace.buildDirectory, environment.environment);
    const context: FailureContext = {
      drvPath,
      tail: lines.tail(),
      keptDirectory: keptDirectory ? workspace.buildDirectory : undefined,
    };
    return { ...ended, error: this.#failure(ranOut ? "memory" : stopped, end, context), keptDirectory };
  }

  #failure(
    stopped: ReturnType<ReturnType<typeof watch>["stoppedBy"]> | "memory",
    end: ProcessEnd,
    context: FailureContext,
  ): CodedError {
    const { maxLogBytes, maxMemoryBytes = 0, maxSilentSeconds, timeoutSeconds, store } = this.#options;
    if (stopped === "memory") return outOfMemory(maxMemoryBytes, context);
    if (stopped === "time") return timedOut(`it took longer than ${timeoutSeconds} s`, context);
    if (stopped === "silence") return timedOut(`it wrote nothing for ${maxSilentSeconds} s`, context);
    if (stopped === "log") return logTooLarge(maxLogBytes, context);
    const full = findFullDisk([store.realStoreDirectory, tmpdir()]);
    if (full !== undefined) return diskFull(context.drvPath, full);
    if (end.kind === "killed") return builderFailed(`was killed by ${end.signal}`, context);
    if (end.kind === "exited") return builderFailed(`ended with exit code ${end.code}`, context);
    return builderFailed("could not be started", context);
  }

  /** A faster way to lock a file than by a process for each, where this machine has one. */
  async fileLocker(): Promise<LockPathsOptions["lockFile"]> {
    if (this.#options.sandbox === false) return undefined;
    // Without a sandbox nothing is built; that is told when a build asks for one.
    const opened = await this.#open().catch(() => undefined);
    return opened?.kind === "native" ? (file) => opened.sandbox.lock(file) : undefined;
  }

  /** Do something as a user of a build, who may enter its directories; `undefined` is we, where builds have no users. */
  async asBuildUser<T>({ topDirectory }: Workspace, act: (user: BuildUser | undefined) => Promise<T>): Promise<T> {
    const opened = await this.#sandbox?.catch(() => undefined);
    if (opened?.hasUsers !== true || this.#hasUsers !== true) return act(undefined);
    const { uid, gid, release } = await this.#users.take();
    try {
      chownSync(topDirectory, uid, gid);
      return await act({ uid, gid });
    } finally {
      release();
    }
  }

  /** Remove a tree, where this machine has somebody for it without keeping this process from other things. */
  async removeTree(path: string): Promise<void> {
    const opened = await this.#sandbox?.catch(() => undefined);
    if (opened?.kind === "native" && (await opened.sandbox.remove(path))) return;
    removeTree(path);
  }

  /** What makes sandboxes here, started once; again when it was killed. */
  async #open(): Promise<OpenSandbox> {
    const opened = await this.#sandbox;
    if (opened?.kind === "native" && !opened.sandbox.isUsable) this.#sandbox = undefined;
    this.#sandbox ??= openSandbox((this.#options.support ?? findSandboxSupport)());
    return this.#sandbox;
  }

  /** @throws {CodedError} `build.no-memory-limit` */
  #makeGroup({ kind }: OpenSandbox): BuildGroup | undefined {
    const { maxMemoryBytes = 0 } = this.#options;
    if (maxMemoryBytes === 0) return undefined;
    return BuildGroup.make(
      maxMemoryBytes,
      kind === "native" ? undefined : { kind: "missing", found: "bubblewrap puts builders into no group of their own" },
    );
  }

  #startSandboxed(
    opened: OpenSandbox,
    prepared: Prepared,
    user: HeldUser | undefined,
    group: BuildGroup | undefined,
  ): Promise<RunningProcess> {
    const { request, workspace, environment, receive } = prepared;
    const { drv, inputClosure } = request;
    const { store } = this.#options;
    const network = sharesNetwork(drv) && this.#options.offline !== true;
    const devices = requiredFeatures(drv).includes("kvm") ? ["/dev/kvm"] : [];
    const deviceGroup = devices.map(groupOfDevice).find((found) => found !== undefined);
    const isRange = wantsUserRange(drv);
    if (isRange && (user === undefined || opened.kind !== "native"))
      throw noUserRange(drv.name, user === undefined ? "builds have no users here" : "bubblewrap gives it one user");
    this.#filter ??= makeSystemCallFilter(process.arch === "arm64" ? "arm64" : "x64");
    return opened.sandbox.start({
      spec: {
        storeDirectory: workspace.storeDirectory,
        inputs: placeInputs(workspace, inputClosure, (path) => store.realPath(path)),
        buildDirectory: workspace.buildDirectory,
        etcDirectory: this.#etcDirectory(network),
        environment: environment.environment,
        network,
        devices,
        // libc's system() and popen() know no other shell; a derivation names the one of its inputs that is to be it.
        shell: drv.env["sandboxShell"],
        readOnlyProc: user === undefined ? findReadOnlyProc() : [],
        user:
          user === undefined
            ? undefined
            : isRange
              ? { uid: user.uid, gid: user.gid, ids: IDS_PER_SLOT }
              : { uid: user.uid, gid: deviceGroup ?? user.gid },
        maxProcesses: this.#options.maxProcesses,
        maxFileBytes: this.#diskBytes(),
        maxDataBytes: this.#options.maxProcessMemoryBytes ?? 0,
        allowNewPrivileges: this.#options.allowNewPrivileges === true,
        controlGroup: group?.entrance,
        filter: this.#filter,
      },
      builder: environment.builder,
      args: environment.args,
      scratchDirectory: workspace.topDirectory,
      receive,
    });
  }

  #startPlain({ request, workspace, environment, receive }: Prepared): Promise<RunningProcess> {
    const { realStoreDirectory } = this.#options.store;
    if (realStoreDirectory !== STORE_DIRECTORY) {
      throw new CodedError(
        "build.no-sandbox-elsewhere",
        `Cannot build "${request.drv.name}" without a sandbox: the store lies at "${realStoreDirectory}", builders expect /nix/store`,
        {
          hint: "Leave --no-sandbox away, or use the store at /nix/store.",
          exitCode: 100,
        },
      );
    }
    return withTerminal(this.#terminals, { receive }, (output) =>
      runPlain({
        builder: environment.builder,
        args: environment.args,
        environment: environment.environment,
        directory: workspace.buildDirectory,
        output,
        receive,
        allowNewPrivileges: this.#options.allowNewPrivileges === true,
      }),
    );
  }

  /** Size of the store's disk: a longer file could only be a sparse one, which nobody could copy or would finish reading. */
  #diskBytes(): number {
    if (this.#knownDiskBytes === undefined) {
      const { blocks, bsize } = statfsSync(this.#options.store.realStoreDirectory);
      this.#knownDiskBytes = blocks * bsize;
    }
    return this.#knownDiskBytes;
  }

  /** The `/etc` of sandboxes, written once in a run. */
  #etcDirectory(network: boolean): string {
    const known = this.#etc.get(network);
    if (known !== undefined) return known;
    if (this.#runDirectory === undefined) {
      this.#runDirectory = makeScratch("run");
      // The users of builds have to get to what is in it, and nobody else minds.
      chmodSync(this.#runDirectory, 0o711);
    }
    const directory = `${this.#runDirectory}/${network ? "etc-network" : "etc"}`;
    writeSandboxEtc(directory, { network });
    this.#etc.set(network, directory);
    return directory;
  }
}

/** A builder that is to be root of many users, where it cannot be. */
function noUserRange(name: string, found: string): CodedError {
  return new CodedError("build.no-uid-range", `Cannot give the builder of "${name}" 65,536 users: ${found}`, {
    hint: "It asks for them by the feature uid-range: build it in the sandbox, where floe-sandbox is there.",
    exitCode: 100,
  });
}

/** No sandbox was made: tell why, in our words when we know them. */
function explainSandbox(drvPath: StorePath, found: string | undefined, tail: readonly string[]): CodedError {
  const support = probeSandbox();
  if (support.kind !== "available") return sandboxUnavailable(support);
  const said = tail.filter((line) => line.startsWith("bwrap: "));
  return new CodedError(
    "sandbox.failed",
    `Cannot make a sandbox for "${shortName(drvPath)}": ${found ?? said.at(-1) ?? "bubblewrap ended early"}`,
    { exitCode: 100 },
  );
}

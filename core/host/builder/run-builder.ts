import { closeSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { CodedError } from "../../base/index.ts";
import { type BuildEvent, type BuildRequest, buildEnvironment, shortName } from "../../build/index.ts";
import { fixedOutputOf } from "../../derivation/index.ts";
import type { StorePath } from "../../store/index.ts";
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
import { builderFailed, diskFull, type FailureContext, findFullDisk, logTooLarge, timedOut } from "./failures.ts";
import { requiredFeatures } from "./platform.ts";
import { watch } from "./watch.ts";
import { placeInputs, type Workspace, writeBuildFiles, writeEnvironmentScript } from "./workspace.ts";

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
  /** False runs builders without isolation; only in the store at `/`. */
  readonly sandbox: boolean;
  /** Environment for `impureEnvVars` of fixed outputs. */
  readonly callerEnvironment: Readonly<Record<string, string | undefined>>;
  /** How to find out whether builds can be isolated. Default: look at this machine. */
  readonly support?: () => SandboxSupport;
}

/** How a builder ended: `error` is absent when it succeeded. What it made was not looked at. */
export interface BuilderEnd {
  readonly error: CodedError | undefined;
  readonly logPath: string;
  /** Whether the build directory is to be kept. */
  readonly keptDirectory: boolean;
}

/** Runs the programs of builders: environment, sandbox, terminal, log, limits. What they make is looked at by others. */
export class BuilderRunner {
  readonly #options: BuilderRunnerOptions;
  readonly #terminals = new TerminalPool();
  readonly #readOnlyProc = findReadOnlyProc();
  #support: SandboxSupport | undefined;
  #runDirectory: string | undefined;
  readonly #etc = new Map<boolean, string>();

  constructor(options: BuilderRunnerOptions) {
    this.#options = options;
  }

  /** Give back what was held for several builds. */
  close(): void {
    this.#terminals.close();
    if (this.#runDirectory !== undefined) removeTree(this.#runDirectory);
  }

  /** Run a builder to its end. Errors as `buildEnvironment`, and `sandbox.*`, `build.no-chroot`, `build.no-sandbox-elsewhere`. */
  async run(
    request: BuildRequest,
    workspace: Workspace,
    emit: (event: BuildEvent) => void,
    signal: AbortSignal,
  ): Promise<BuilderEnd> {
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
    }, this.#options.logLines);
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

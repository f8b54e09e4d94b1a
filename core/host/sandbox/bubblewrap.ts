import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import type { Readable } from "node:stream";
import { concatBytes, utf8 } from "../../base/index.ts";
import { closeInheritedDescriptors, findProgram, TerminalPool, withTerminal } from "../process/index.ts";
import { bubblewrapArguments } from "./bubblewrap-arguments.ts";
import { withBuilderUmask } from "./builder-umask.ts";
import {
  type ProcessEnd,
  readExitCode,
  type RunInSandboxOptions,
  type RunningProcess,
  type Sandbox,
} from "./sandbox.ts";
import { PassageMaker } from "./open-passage.ts";
import type { SandboxSpec } from "./spec.ts";

const ARGUMENTS_DESCRIPTOR = 3;
const STATUS_DESCRIPTOR = 4;
const FILTER_DESCRIPTOR = 5;
/** Characters of the output that are kept for bubblewrap's own last words. */
const KEPT_WORDS = 2000;

/** Sandboxes made by the program bubblewrap, one process of it for each. */
export class BubblewrapSandbox implements Sandbox {
  readonly #program: string;
  readonly #limiter = findProgram("prlimit");
  readonly #terminals = new TerminalPool();
  readonly #passages = new PassageMaker();

  constructor(program: string) {
    this.#program = program;
  }

  async start(options: RunInSandboxOptions): Promise<RunningProcess> {
    closeInheritedDescriptors();
    let words = "";
    const receive = (chunk: Buffer): void => {
      words = (words + chunk.toString("latin1")).slice(-KEPT_WORDS);
      options.receive(chunk);
    };
    const running = await withTerminal(this.#terminals, { receive, user: options.spec.user }, (output) =>
      this.#spawn({ ...options, receive }, output),
    );
    // A program that cannot be run is the fault of the derivation, as one that fails at once.
    const ended = running.ended.then(
      (end): ProcessEnd =>
        end.kind === "not-started" && /^bwrap: execvp /m.test(words) ? { kind: "exited", code: 127 } : end,
    );
    return { ...running, ended };
  }

  async close(): Promise<void> {
    this.#terminals.close();
    this.#passages.close();
  }

  #spawn(options: RunInSandboxOptions, output: number | undefined): RunningProcess {
    const { user } = options.spec;
    const passage = user === undefined ? undefined : this.#passages.open(options.spec, user);
    const { spec } = passage ?? options;
    const words = bubblewrapArguments(spec, { status: STATUS_DESCRIPTOR, filter: FILTER_DESCRIPTOR });
    const out = output ?? "pipe";
    // Hundreds of inputs do not fit on a command line, and variables may hold any bytes: both go through a file.
    const argumentsFile = openFilled(
      `${options.scratchDirectory}/arguments`,
      concatBytes(words.map((word) => utf8(`${word}\0`))),
    );
    const filter = openFilled(`${options.scratchDirectory}/filter`, spec.filter);
    const [program = this.#program, ...command] = [
      ...(passage?.words ?? []),
      ...this.#limits(spec),
      ...[this.#program, "--args", String(ARGUMENTS_DESCRIPTOR), "--", options.builder, ...options.args],
    ];
    let child: ChildProcess;
    try {
      child = withBuilderUmask(() =>
        spawn(program, command, {
          stdio: ["ignore", out, out, argumentsFile, "pipe", filter],
          env: passage === undefined ? {} : { PATH: process.env["PATH"] ?? "/usr/bin:/bin" },
          // Ctrl-C in a terminal goes to its whole process group; here it is us who end a build, in order.
          detached: true,
          // Through a passage root goes first.
          ...(passage === undefined ? user : {}),
        }),
      );
    } finally {
      closeSync(argumentsFile);
      closeSync(filter);
    }
    child.stdout?.on("data", options.receive);
    child.stderr?.on("data", options.receive);
    return watchChild(child);
  }

  /**
   * A wrapper for the limits of a process, which bubblewrap passes on. The number of processes is counted by user, so it is
   * left alone for a builder that shares ours.
   */
  #limits(spec: SandboxSpec): string[] {
    if (this.#limiter === undefined) return [];
    const processes = spec.user === undefined ? [] : [`--nproc=${spec.maxProcesses}`];
    const files = spec.maxFileBytes === 0 ? [] : [`--fsize=${spec.maxFileBytes}`];
    const data = spec.maxDataBytes === 0 ? [] : [`--data=${spec.maxDataBytes}`];
    return [this.#limiter, "--core=0:", "--nofile=1024:", ...processes, ...files, ...data, "--"];
  }
}

/** A descriptor to read these bytes from; there is no name for them any more. */
function openFilled(file: string, content: Uint8Array): number {
  writeFileSync(file, content, { mode: 0o600 });
  const descriptor = openSync(file, "r");
  unlinkSync(file);
  return descriptor;
}

function watchChild(child: ChildProcess): RunningProcess {
  let status = "";
  (child.stdio[STATUS_DESCRIPTOR] as Readable).on("data", (chunk: Buffer) => {
    status += chunk.toString("latin1");
  });
  const innerPid = (): number => Number(/"child-pid"\s*:\s*(\d+)/.exec(status)?.[1] ?? 0);
  const ended = new Promise<ProcessEnd>((resolve) => {
    child.once("error", () => resolve({ kind: "not-started" }));
    child.once("close", (_code, signal) => {
      const code = /"exit-code"\s*:\s*(\d+)/.exec(status)?.[1];
      if (code !== undefined) return resolve(readExitCode(Number(code)));
      if (signal === null) return resolve({ kind: "not-started" });
      // Somebody killed bubblewrap itself; the kernel is about to kill what was inside.
      waitUntilGone(innerPid()).then(() => resolve({ kind: "killed", signal }));
    });
  });
  return {
    ended,
    kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const inner = innerPid();
      // The first process of the sandbox takes all others with it, and its parent ends after them: so `ended` means none is left.
      if (inner > 0) tryKill(inner);
      else child.kill("SIGKILL");
      setTimeout(() => child.kill("SIGKILL"), 3000).unref();
    },
  };
}

/** A process that is only waited for by nobody (a zombie) holds nothing open any more. */
export async function waitUntilGone(pid: number): Promise<void> {
  for (let tries = 0; pid > 0 && tries < 400; tries++) {
    try {
      if (/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))) return;
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself in the meantime.
  }
}

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import type { Readable } from "node:stream";
import { concatBytes, utf8 } from "../../base/index.ts";
import { closeInheritedDescriptors } from "../process/index.ts";
import { sandboxArguments, type SandboxSpec } from "./arguments.ts";

export interface RunInSandboxOptions {
  /** The bubblewrap program. */
  readonly program: string;
  readonly spec: Omit<SandboxSpec, "statusDescriptor">;
  readonly builder: string;
  readonly args: readonly string[];
  /** Name of a file for the arguments; it is gone when this function returns. */
  readonly argumentsFile: string;
  /** Descriptor for standard output and standard error; `undefined` makes a pipe that is read by `receive`. */
  readonly output: number | undefined;
  readonly receive: (chunk: Buffer) => void;
}

/** How a run ended. */
export type ProcessEnd =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "killed"; readonly signal: string }
  /** The sandbox itself could not be made; its words are in the log. */
  | { readonly kind: "not-started" };

/** A builder that runs. */
export interface RunningProcess {
  /** Fulfilled when no process of it is left. */
  readonly ended: Promise<ProcessEnd>;
  /** End it and everything it started, at once. May be called more than once. */
  kill(): void;
}

const ARGUMENTS_DESCRIPTOR = 3;
const STATUS_DESCRIPTOR = 4;

/** Start a builder in a sandbox of its own. */
export function runInSandbox(options: RunInSandboxOptions): RunningProcess {
  closeInheritedDescriptors();
  const words = sandboxArguments({ ...options.spec, statusDescriptor: STATUS_DESCRIPTOR });
  // Hundreds of inputs do not fit on a command line, and variables may hold any bytes: both go through a file.
  writeFileSync(options.argumentsFile, concatBytes(words.map((word) => utf8(`${word}\0`))), { mode: 0o600 });
  const argumentsFile = openSync(options.argumentsFile, "r");
  unlinkSync(options.argumentsFile);
  const out = options.output ?? "pipe";
  let child: ChildProcess;
  try {
    child = spawn(options.program, ["--args", String(ARGUMENTS_DESCRIPTOR), "--", options.builder, ...options.args], {
      stdio: ["ignore", out, out, argumentsFile, "pipe"],
      env: {},
      // Ctrl-C in a terminal goes to its whole process group; here it is us who end a build, in order.
      detached: true,
    });
  } finally {
    closeSync(argumentsFile);
  }
  child.stdout?.on("data", options.receive);
  child.stderr?.on("data", options.receive);

  let status = "";
  (child.stdio[STATUS_DESCRIPTOR] as Readable).on("data", (chunk: Buffer) => {
    status += chunk.toString("latin1");
  });
  const innerPid = (): number => Number(/"child-pid"\s*:\s*(\d+)/.exec(status)?.[1] ?? 0);
  const ended = new Promise<ProcessEnd>((resolve) => {
    child.once("error", () => resolve({ kind: "not-started" }));
    child.once("close", (_code, signal) => {
      const code = /"exit-code"\s*:\s*(\d+)/.exec(status)?.[1];
      if (code !== undefined) return resolve(decodeExit(Number(code)));
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

/** bubblewrap reports a death by signal as 128 + signal, as shells do. */
function decodeExit(code: number): ProcessEnd {
  const signals: Readonly<Record<number, string>> = {
    134: "SIGABRT",
    136: "SIGFPE",
    137: "SIGKILL",
    139: "SIGSEGV",
    143: "SIGTERM",
  };
  const signal = signals[code];
  return signal === undefined ? { kind: "exited", code } : { kind: "killed", signal };
}

/** A process that is only waited for by nobody (a zombie) holds nothing open any more. */
async function waitUntilGone(pid: number): Promise<void> {
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

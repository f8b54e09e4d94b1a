import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { QemuError } from "./errors.ts";
import type { Forked } from "./fork-channel.ts";
import { findProgram, getProgram } from "./programs.ts";

/** How a QEMU process ended. */
export interface QemuExit {
  readonly status: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  /** What QEMU wrote to its standard error, at most the last 8 KiB. */
  readonly words: string;
}

const KEPT_WORDS = 8192;

/**
 * Becomes the program, unless the parent died before the signal for its death was asked for: that signal never comes.
 * `$1` is the process id the parent must have, `$2` what is loaded into the program before its own libraries.
 */
const EXEC_FOR = '[ "$PPID" = "$1" ] || exit 1; [ -z "$2" ] || export LD_PRELOAD="$2"; shift 2; exec "$@"';

/**
 * One QEMU process in a process group of its own, which dies with its parent.
 *
 * Linux kills it when this process ends in whatever way, through `setpriv --pdeathsig`; where that program is missing, an
 * exit handler is all there is.
 */
export class QemuProcess {
  readonly argv: readonly string[];
  readonly pid: number;
  /** Settles once, when the process is gone. It does not reject. */
  readonly exited: Promise<QemuExit>;
  readonly #kill: () => void;
  #exit: QemuExit | undefined;

  private constructor(argv: readonly string[], pid: number, kill: () => void, exited: Promise<QemuExit>) {
    this.argv = argv;
    this.pid = pid;
    this.#kill = kill;
    running.add(this);
    if (running.size === 1) process.on("exit", killAll);
    this.exited = exited.then((exit) => {
      running.delete(this);
      if (running.size === 0) process.off("exit", killAll);
      this.#exit = exit;
      return exit;
    });
  }

  /**
   * Start QEMU.
   *
   * @param environment What it has in its environment besides; `LD_PRELOAD` is for QEMU alone.
   * @throws {QemuError} `qemu.missing` when the program is not installed, `qemu.not-started` when it cannot be run.
   */
  static async start(
    program: string,
    args: readonly string[],
    { LD_PRELOAD: preload = "", ...environment }: Readonly<Record<string, string>> = {},
  ): Promise<QemuProcess> {
    const qemu = program.includes("/") ? program : getProgram(program);
    const setpriv = process.platform === "linux" ? findProgram("setpriv") : undefined;
    const bound = [
      setpriv ?? "",
      "--pdeathsig",
      "KILL",
      "--",
      "/bin/sh",
      "-c",
      EXEC_FOR,
      "sh",
      `${process.pid}`,
      preload,
    ];
    const argv = [...(setpriv === undefined ? [] : bound), qemu, ...args];
    const child = spawn(argv[0] ?? qemu, argv.slice(1), {
      detached: true,
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ...environment },
    });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", (cause) =>
        reject(new QemuError("qemu.not-started", `Cannot start "${qemu}": ${cause.message}`, { cause })),
      );
    });
    return new QemuProcess([qemu, ...args], child.pid ?? 0, () => killGroup(child), endOf(child));
  }

  /** A copy of a QEMU, which ends with that one. @param complaints Its standard error. */
  static ofFork(argv: readonly string[], { pid, ended, kill }: Forked, complaints: Readable): QemuProcess {
    const words = lastWords(complaints);
    const closed = new Promise<void>((resolve) => {
      complaints.once("close", resolve);
      if (complaints.closed) resolve();
    });
    complaints.on("error", () => {});
    // One that ended by itself has its end told, too, although its parent hangs; there is nothing left to kill then.
    void closed.then(kill);
    const exited = Promise.all([ended, closed]).then(([end]) => ({ ...end, words: words() }));
    return new QemuProcess(argv, pid, kill, exited);
  }

  /** How it ended; `undefined` while it runs. */
  get exit(): QemuExit | undefined {
    return this.#exit;
  }

  /** End it and whatever it started, at once. */
  kill(): void {
    if (this.#exit === undefined) this.#kill();
  }
}

/** Those that have not ended. */
const running = new Set<QemuProcess>();

function killAll(): void {
  for (const each of running) each.kill();
}

function killGroup(child: ChildProcess): void {
  try {
    process.kill(-(child.pid ?? 0), "SIGKILL");
  } catch {
    child.kill("SIGKILL");
  }
}

function endOf(child: ChildProcess): Promise<QemuExit> {
  const words = child.stderr === null ? () => "" : lastWords(child.stderr);
  return new Promise((resolve) => {
    child.on("close", (status, signal) => {
      resolve({ status: status ?? undefined, signal: signal ?? undefined, words: words() });
    });
  });
}

/** Reads a stream, and says what came last. */
function lastWords(stream: Readable): () => string {
  let words = "";
  stream.setEncoding("utf8").on("data", (text: string) => {
    words = (words + text).slice(-KEPT_WORDS);
  });
  return () => words.trim();
}

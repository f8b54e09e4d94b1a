import { type ChildProcess, spawn } from "node:child_process";
import { QemuError } from "./errors.ts";
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
 * `$1` is the process id the parent must have.
 */
const EXEC_FOR = '[ "$PPID" = "$1" ] || exit 1; shift; exec "$@"';

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
  readonly #child: ChildProcess;
  #exit: QemuExit | undefined;

  private constructor(child: ChildProcess, argv: readonly string[]) {
    this.argv = argv;
    this.pid = child.pid ?? 0;
    this.#child = child;
    let words = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      words = (words + text).slice(-KEPT_WORDS);
    });
    const killAtExit = (): void => this.kill();
    process.on("exit", killAtExit);
    this.exited = new Promise((resolve) => {
      child.on("close", (status, signal) => {
        process.off("exit", killAtExit);
        this.#exit = { status: status ?? undefined, signal: signal ?? undefined, words: words.trim() };
        resolve(this.#exit);
      });
    });
  }

  /**
   * Start QEMU.
   *
   * @throws {QemuError} `qemu.missing` when the program is not installed, `qemu.not-started` when it cannot be run.
   */
  static async start(program: string, args: readonly string[]): Promise<QemuProcess> {
    const qemu = program.includes("/") ? program : getProgram(program);
    const setpriv = process.platform === "linux" ? findProgram("setpriv") : undefined;
    const bound = [setpriv ?? "", "--pdeathsig", "KILL", "--", "/bin/sh", "-c", EXEC_FOR, "sh", `${process.pid}`];
    const argv = [...(setpriv === undefined ? [] : bound), qemu, ...args];
    const child = spawn(argv[0] ?? qemu, argv.slice(1), { detached: true, stdio: ["ignore", "ignore", "pipe"] });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", (cause) =>
        reject(new QemuError("qemu.not-started", `Cannot start "${qemu}": ${cause.message}`, { cause })),
      );
    });
    return new QemuProcess(child, [qemu, ...args]);
  }

  /** How it ended; `undefined` while it runs. */
  get exit(): QemuExit | undefined {
    return this.#exit;
  }

  /** End it and whatever it started, at once. */
  kill(): void {
    if (this.#exit !== undefined) return;
    try {
      process.kill(-this.pid, "SIGKILL");
    } catch {
      this.#child.kill("SIGKILL");
    }
  }
}

import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, constants, fchownSync, openSync, writeSync } from "node:fs";
import type { Readable } from "node:stream";
import { findProgram } from "./find-program.ts";

/** How long the last words of a builder may take to arrive when nothing else does. */
const PATIENCE_MS = 2000;

/** Who writes to a terminal. */
export interface TerminalUser {
  readonly uid: number;
  readonly gid: number;
}

/**
 * A pseudo terminal for the output of builders, one after another.
 *
 * Node cannot make one, so `script` of util-linux holds it: its child puts the terminal into raw mode (what is written
 * arrives byte for byte), tells its name and waits until we go away. Builders get the terminal's slave side directly
 * as standard output; nothing is started per build. The end of one builder's output is found by a random mark that is
 * written behind it.
 */
export class LogTerminal {
  readonly #host: ChildProcess;
  readonly #path: string;
  readonly #output: Readable;
  #receive: ((chunk: Buffer) => void) | undefined;
  #broken = false;

  private constructor(host: ChildProcess, path: string, output: Readable) {
    this.#host = host;
    this.#path = path;
    this.#output = output;
    this.#output.on("data", (chunk: Buffer) => this.#receive?.(chunk));
    this.#output.on("close", () => {
      this.#broken = true;
    });
  }

  /** A new terminal; `undefined` when this machine cannot give one. */
  static async open(): Promise<LogTerminal | undefined> {
    const script = findProgram("script");
    if (script === undefined) return undefined;
    // Descriptor 3 is the life line: it ends when this process ends, however that happens.
    const host = spawn(script, ["-qfec", "stty raw -echo 2>/dev/null; tty; exec cat <&3 >/dev/null", "/dev/null"], {
      stdio: ["ignore", "pipe", "ignore", "pipe"],
      env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", SHELL: "/bin/sh" },
      // Out of reach of Ctrl-C, so that the last words of a cancelled builder still arrive.
      detached: true,
    });
    const output = host.stdout as Readable;
    const path = await new Promise<string | undefined>((resolve) => {
      let text = "";
      const done = (found: string | undefined): void => {
        output.off("data", read);
        resolve(found);
      };
      const read = (chunk: Buffer): void => {
        text += chunk.toString("latin1");
        const line = /^([^\n]*?)\r?\n/.exec(text)?.[1];
        if (line !== undefined) done(/^\/dev\/pts\/\d+$/.test(line) ? line : undefined);
      };
      output.on("data", read);
      host.once("error", () => done(undefined));
      host.once("exit", () => done(undefined));
    });
    if (path !== undefined) {
      try {
        closeSync(openSync(path, constants.O_RDWR | constants.O_NOCTTY));
        return new LogTerminal(host, path, output);
      } catch {
        // A terminal file system that is not the one `script` used; a pipe does instead.
      }
    }
    host.kill("SIGKILL");
    return undefined;
  }

  /** True as long as the terminal works. */
  get isUsable(): boolean {
    return !this.#broken;
  }

  /** Begin with one builder: a descriptor for its standard output, to be closed after the spawn. */
  begin(receive: (chunk: Buffer) => void, user?: TerminalUser | undefined): number {
    this.#receive = receive;
    const descriptor = openSync(this.#path, constants.O_RDWR | constants.O_NOCTTY);
    // Without it a builder could not open /dev/stdout by its name.
    if (user !== undefined) fchownSync(descriptor, user.uid, user.gid);
    return descriptor;
  }

  /**
   * All that was written until now has been received when this is fulfilled. Every writer must be dead.
   *
   * A builder may have stopped the terminal (as Ctrl-S does): one that says nothing more is given up.
   */
  async end(): Promise<void> {
    const deliver = this.#receive ?? (() => {});
    const mark = Buffer.from(`\0${randomBytes(12).toString("hex")}\0`);
    let held = Buffer.alloc(0);
    const arrived = new Promise<void>((done) => {
      const resolve = (): void => {
        clearTimeout(patience);
        this.#output.off("close", resolve);
        done();
      };
      const giveUp = (): void => {
        deliver(held);
        this.#broken = true;
        this.close();
        resolve();
      };
      const patience = setTimeout(giveUp, PATIENCE_MS);
      if (this.#broken) return resolve();
      this.#output.once("close", resolve);
      this.#receive = (chunk) => {
        patience.refresh();
        const text = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
        const at = text.indexOf(mark);
        if (at === -1) {
          // The beginning of the mark may be the end of this chunk.
          const keep = Math.min(mark.length - 1, text.length);
          if (text.length > keep) deliver(text.subarray(0, text.length - keep));
          held = Buffer.from(text.subarray(text.length - keep));
          return;
        }
        if (at > 0) deliver(text.subarray(0, at));
        resolve();
      };
    });
    await this.#writeMark(mark);
    await arrived;
    this.#receive = undefined;
  }

  /** Give the terminal back to the system. */
  close(): void {
    this.#host.kill("SIGKILL");
    this.#host.stdio[3]?.destroy();
  }

  /** The terminal may be full of output we have not read yet, so the mark must not block us. */
  async #writeMark(mark: Buffer): Promise<void> {
    if (this.#broken) return;
    let descriptor: number | undefined;
    try {
      descriptor = openSync(this.#path, constants.O_WRONLY | constants.O_NOCTTY | constants.O_NONBLOCK);
      for (let rest = mark; rest.length > 0 && !this.#broken; ) {
        try {
          rest = rest.subarray(writeSync(descriptor, rest));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
      }
    } catch {
      // Its host is dead, and the terminal with it: there is nothing more to come.
      this.#output.destroy();
    } finally {
      if (descriptor !== undefined) closeSync(descriptor);
    }
  }
}

/** Terminals in reserve: as many as builds ever ran at once. */
export class TerminalPool {
  readonly #free: LogTerminal[] = [];
  readonly #all: LogTerminal[] = [];
  #impossible = false;

  /** A terminal for one builder; `undefined` when this machine has none to give. */
  async take(): Promise<LogTerminal | undefined> {
    for (let found = this.#free.pop(); found !== undefined; found = this.#free.pop()) {
      if (found.isUsable) return found;
    }
    if (this.#impossible) return undefined;
    const made = await LogTerminal.open();
    if (made === undefined) this.#impossible = true;
    else this.#all.push(made);
    return made;
  }

  giveBack(terminal: LogTerminal): void {
    this.#free.push(terminal);
  }

  close(): void {
    for (const terminal of this.#all) terminal.close();
    this.#all.length = 0;
    this.#free.length = 0;
  }
}

import { type ChildProcess, spawn } from "node:child_process";
import { rmdirSync, rmSync } from "node:fs";
import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import { getSystemErrorName } from "node:util";
import { CodedError } from "../../base/index.ts";
import { makeScratch } from "../files/index.ts";
import { closeInheritedDescriptors } from "../process/index.ts";
import { waitUntilGone } from "./bubblewrap.ts";
import { AnswerReader, formatRequest, formatRun, type NativeAnswer } from "./native-protocol.ts";
import {
  type ProcessEnd,
  readExitCode,
  type RunInSandboxOptions,
  type RunningProcess,
  type Sandbox,
} from "./sandbox.ts";
import type { BuildUser } from "./spec.ts";
import type { SubordinateIds } from "./subordinate-ids.ts";

/** Where a range of users begins for `floe-sandbox` of an ordinary user. */
export const RANGE_FIRST_ID = 65_536;

const SIGNALS = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

interface Pending {
  readonly receive: (chunk: Buffer) => void;
  readonly resolve: (end: ProcessEnd) => void;
  readonly reject: (error: unknown) => void;
  pid: number;
  peakMemoryBytes?: number | undefined;
}

/**
 * Sandboxes made by `floe-sandbox`: one small process for all of a run, which also keeps locks.
 *
 * Everything it holds goes with this process, however that ends: builders are killed, locks given back.
 */
export class NativeSandbox implements Sandbox {
  readonly #child: ChildProcess;
  readonly #rootDirectory: string;
  readonly #runs = new Map<number, Pending>();
  /** Told the answer, 0 or an error number. */
  readonly #questions = new Map<number, (errno: number) => void>();
  readonly #gone: Promise<void>;
  readonly #ready: Promise<{ readonly isRoot: boolean }>;
  #unsent: Buffer[] = [];
  #lastId = 0;
  #isLost = false;

  /** @param ids Users and groups for builders from {@link RANGE_FIRST_ID} on; for who is not root. */
  constructor(program: string, ids?: SubordinateIds) {
    closeInheritedDescriptors();
    this.#rootDirectory = makeScratch("root");
    this.#child = spawn(program, [this.#rootDirectory, ...mapperWords(ids)], {
      stdio: ["pipe", "pipe", "ignore"],
      env: {},
      cwd: "/",
      // Ctrl-C in a terminal goes to its whole process group; here it is us who end a build, in order.
      detached: true,
    });
    this.#gone = new Promise((resolve) => {
      this.#child.once("error", () => resolve());
      this.#child.once("close", () => resolve());
    });
    this.#ready = new Promise((resolve, reject) => {
      const refuse = (found: string): void => reject(nativeFailed(found));
      const reader = new AnswerReader();
      (this.#child.stdout as Readable).on("data", (chunk: Buffer) => {
        for (const answer of reader.read(chunk)) {
          if (answer.kind !== "ready") this.#take(answer);
          else if (answer.refused === undefined) resolve({ isRoot: answer.isRoot });
          else refuse(answer.refused);
        }
      });
      this.#child.once("error", (error) => refuse(error.message));
      this.#child.once("close", (status, signal) => {
        this.#lose();
        refuse(`it ended with ${signal ?? `status ${status}`}`);
      });
    });
    this.#ready.catch(() => {});
    // A request to one that is gone: what was asked of it is told by its end.
    (this.#child.stdin as Writable).on("error", () => {});
  }

  /** False when it ended, which is not its habit: another one may take its place. */
  get isUsable(): boolean {
    return !this.#isLost;
  }

  /**
   * Fulfilled when it can make sandboxes; tells whether it can give builders a user of their own.
   *
   * @throws {CodedError} `sandbox.native-failed`
   */
  get ready(): Promise<{ readonly isRoot: boolean }> {
    return this.#ready;
  }

  async start(options: RunInSandboxOptions): Promise<RunningProcess> {
    const { isRoot } = await this.#ready;
    const id = ++this.#lastId;
    let run: Pending | undefined;
    const ended = new Promise<ProcessEnd>((resolve, reject) => {
      if (this.#isLost) return resolve({ kind: "not-started", found: "floe-sandbox is gone" });
      run = { receive: options.receive, resolve, reject, pid: 0 };
      this.#runs.set(id, run);
    });
    this.#send(formatRun(id, options, isRoot), { now: true });
    return {
      ended,
      kill: () => {
        if (this.#runs.has(id)) this.#send(formatRequest(["kill", String(id)]));
      },
      get peakMemoryBytes() {
        return run?.peakMemoryBytes;
      },
    };
  }

  /**
   * Take the lock of a file, which is made if it is missing.
   *
   * @returns How to give it back, which removes the file; `undefined` when somebody else has it.
   * @throws {CodedError} `sandbox.lock-failed`
   */
  async lock(file: string): Promise<{ release(): void } | undefined> {
    const { id, errno } = await this.#ask("lock", file);
    if (errno === constants.errno.EWOULDBLOCK) return undefined;
    if (errno !== 0) {
      throw new CodedError("sandbox.lock-failed", `Cannot lock "${file}": ${getSystemErrorName(-errno)}`);
    }
    return {
      release: () => {
        // With the program its locks went too, and the file may be somebody else's by now.
        if (this.#isLost) return;
        // At once, so that whoever is told that a build has ended finds nothing of it.
        rmSync(file, { force: true });
        this.#send(formatRequest(["unlock", String(id)]));
      },
    };
  }

  /**
   * Remove a tree while this process does other things. Trees that are removed at once wait for each other.
   *
   * @returns Whether it is gone; why it is not, somebody who tries again will find.
   */
  async remove(path: string): Promise<boolean> {
    return (await this.#ask("remove", path)).errno === 0;
  }

  /**
   * Give a tree to a user, as `floe-sandbox` numbers users: 1 is we. What is still given away at its end is ours again.
   *
   * @throws {CodedError} `sandbox.own-failed`
   */
  async own(path: string, { uid, gid }: BuildUser): Promise<void> {
    const { errno } = await this.#ask("own", String(uid), String(gid), path);
    if (errno === 0) return;
    throw new CodedError("sandbox.own-failed", `Cannot give "${path}" another owner: ${getSystemErrorName(-errno)}`);
  }

  async close(): Promise<void> {
    this.#write();
    this.#child.stdin?.end();
    await this.#gone;
    try {
      rmdirSync(this.#rootDirectory);
    } catch {
      // Somebody cleared the directory of temporary files.
    }
  }

  async #ask(verb: string, ...values: readonly string[]): Promise<{ readonly id: number; readonly errno: number }> {
    await this.#ready;
    const id = ++this.#lastId;
    const errno = await new Promise<number>((resolve) => {
      if (this.#isLost) return resolve(constants.errno.EPIPE);
      this.#questions.set(id, resolve);
      this.#send(formatRequest([verb, String(id), ...values]));
    });
    return { id, errno };
  }

  /** What is sent in one turn goes together: each write wakes the other side, which has the processor then. */
  #send(request: Buffer, { now = false }: { readonly now?: boolean } = {}): void {
    if (this.#isLost) return;
    if (this.#unsent.length === 0 && !now) setImmediate(() => this.#write());
    this.#unsent.push(request);
    if (now) this.#write();
  }

  #write(): void {
    const requests = this.#unsent.splice(0);
    if (requests.length === 0 || this.#isLost) return;
    this.#child.stdin?.write(requests.length === 1 ? requests[0] : Buffer.concat(requests));
  }

  #take(answer: Exclude<NativeAnswer, { kind: "ready" }>): void {
    if (answer.kind === "lock" || answer.kind === "removed") {
      this.#questions.get(answer.id)?.(answer.errno);
      this.#questions.delete(answer.id);
      return;
    }
    const run = this.#runs.get(answer.id);
    if (run === undefined) return;
    if (answer.kind === "started") run.pid = answer.pid;
    else if (answer.kind === "output") run.receive(answer.chunk);
    else {
      this.#runs.delete(answer.id);
      this.#settle(run, answer);
    }
  }

  #settle(run: Pending, answer: Extract<NativeAnswer, { kind: "ended" | "failed" | "not-run" }>): void {
    if (answer.kind === "ended") {
      run.peakMemoryBytes = answer.peakKib === undefined ? undefined : answer.peakKib * 1024;
      return run.resolve(decodeStatus(answer.status));
    }
    if (answer.errno === constants.errno.E2BIG) {
      return run.reject(Object.assign(new Error(answer.text), { code: "E2BIG" }));
    }
    run.receive(Buffer.from(`floe-sandbox: ${answer.text}\n`));
    // A program that cannot be run is the fault of the derivation, as one that fails at once.
    run.resolve(
      answer.kind === "not-run" ? { kind: "exited", code: 127 } : { kind: "not-started", found: answer.text },
    );
  }

  /** It died, and the kernel is about to kill what it ran. */
  #lose(): void {
    this.#isLost = true;
    for (const run of this.#runs.values()) {
      waitUntilGone(run.pid).then(() => run.resolve({ kind: "killed", signal: "SIGKILL" }));
    }
    for (const resolve of this.#questions.values()) resolve(constants.errno.EPIPE);
    this.#runs.clear();
    this.#questions.clear();
  }
}

function mapperWords(ids: SubordinateIds | undefined): string[] {
  if (ids === undefined) return [];
  return [ids.newuidmap, ids.newgidmap, ...[ids.firstUid, ids.firstGid, ids.count].map(String)];
}

function decodeStatus(status: number): ProcessEnd {
  const signal = status & 0x7f;
  if (signal === 0) return readExitCode((status >> 8) & 0xff);
  return { kind: "killed", signal: SIGNALS.get(signal) ?? `signal ${signal}` };
}

function nativeFailed(found: string): CodedError {
  return new CodedError("sandbox.native-failed", `Cannot make sandboxes with floe-sandbox: ${found}`, {
    hint: "bubblewrap is used instead where it is installed.",
    exitCode: 100,
  });
}

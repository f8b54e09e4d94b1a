import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { CodedError } from "../../core/base/index.ts";
import type { CommandResult } from "../machine.ts";
import type { Condition, GuestAddress, WatchOptions } from "./agent-client.ts";
import type { Boot } from "./boot.ts";
import { checkSucceeded, endedBySignal, showCommand, showOutput, toResult } from "./commands.ts";
import { Deadline } from "./deadline.ts";
import type { LineRecorder } from "./line-recorder.ts";
import type { MachineHost } from "./machine-host.ts";
import { type Attempt, waitUntil, withDeadline } from "./wait.ts";

/** Seconds of the guest that a wait or a command may take. */
const DEFAULT_SECONDS = 60;

/** Seconds of the guest within which an agent that runs answers, whatever else its machine does. */
const ANSWER_SECONDS = 2;

/** How long a console may be behind the end of a command that the kernel killed: it tells at length why. */
const CONSOLE_LAG_MS = 1000;
const LOOK_MS = 20;

/** What a view of a machine sets for everything that is done through it. */
export interface GuestSettings {
  readonly seconds?: number;
  readonly user?: string;
}

/** What all that is done in a guest is made of: commands, waits and transfers, under a deadline and on record. */
export class GuestContext {
  readonly host: MachineHost;
  readonly settings: GuestSettings;

  constructor(host: MachineHost, settings: GuestSettings) {
    this.host = host;
    this.settings = settings;
  }

  get name(): string {
    return this.host.name;
  }

  /** @throws {CodedError} `machine.off` */
  boot(): Boot {
    return this.host.current();
  }

  deadline(seconds = DEFAULT_SECONDS): Deadline {
    return new Deadline(this.settings.seconds ?? seconds, this.boot().clock);
  }

  /** Run a command of bash. */
  run(text: string): Promise<CommandResult> {
    return this.exec(shell(text), { shown: text });
  }

  /** Run a program, and record it. */
  async exec(
    argv: readonly string[],
    { shown = argv.join(" "), seconds }: { readonly shown?: string; readonly seconds?: number } = {},
  ): Promise<CommandResult> {
    const boot = this.boot();
    const deadline = this.deadline(seconds);
    const begin = performance.now();
    const soFar = { stdout: "", stderr: "" };
    const complaints = boot.troubles.length;
    const execution = boot.agent.exec(argv, {
      ...(this.settings.user === undefined ? {} : { user: this.settings.user }),
      onOutput: (stream, data) => {
        soFar[stream] += data.toString();
      },
    });
    const raw = await withDeadline(execution.result, deadline, boot.signal, () => {
      execution.kill();
      return this.#late(
        boot,
        `run "${showCommand(shown)}"`,
        new CodedError(
          "command.timeout",
          `Cannot run "${showCommand(shown)}" on "${this.name}": not done after ${deadline.show()}`,
          { details: showOutput(soFar), hint: "Give it more time with within(seconds)." },
        ),
      );
    });
    const plain = toResult(raw);
    const complaint = plain.status === 0 ? undefined : await complaintSince(boot, complaints, endedBySignal(plain));
    const result = complaint === undefined ? plain : { ...plain, complaint };
    const entry = { command: shown, status: result.status, seconds: (performance.now() - begin) / 1000 };
    this.host.log({ kind: "command", machine: this.name, ...entry, stdout: result.stdout, stderr: result.stderr });
    return result;
  }

  /** Run a program that has to succeed. @returns its standard output. */
  async succeed(argv: readonly string[]): Promise<string> {
    return checkSucceeded(this.name, argv.join(" "), await this.exec(argv)).stdout;
  }

  /** Await some work of the guest or of QEMU. @param what Completes "Cannot …". */
  limited<T>(work: Promise<T>, what: string): Promise<T> {
    const boot = this.boot();
    const deadline = this.deadline();
    return withDeadline(work, deadline, boot.signal, () =>
      this.#late(
        boot,
        what,
        new CodedError("command.timeout", `Cannot ${what} on "${this.name}": not done after ${deadline.show()}`),
      ),
    );
  }

  /** What came too late: the guest as it seems, unless its agent has fallen silent and nothing could have come. */
  async #late(boot: Boot, what: string, error: CodedError): Promise<CodedError> {
    const answer = new Deadline(ANSWER_SECONDS, boot.clock);
    const silent = new CodedError(
      "agent.silent",
      `Cannot ${what} on "${this.name}": the agent in the guest does not answer any more`,
      {
        details: [error.message, ...(error.details ?? [])],
        hint: "Something in the guest has stopped it, or keeps it from running.",
      },
    );
    return withDeadline(boot.agent.ping(), answer, boot.signal, () => silent).then(
      () => error,
      (reason: CodedError) => reason,
    );
  }

  /** Look again and again. @param what Completes "Cannot …". */
  until<T>(what: string, attempt: () => Promise<Attempt<T>>): Promise<T> {
    return waitUntil({
      what: `${what} on "${this.name}"`,
      deadline: this.deadline(),
      signal: this.boot().signal,
      attempt: () => this.limited(attempt(), what),
    });
  }

  /** Have the agent watch for something. @param what Completes "Cannot …". */
  async watch(what: string, condition: Condition, options: Pick<WatchOptions, "gone"> = {}): Promise<void> {
    const boot = this.boot();
    const { agent, signal } = boot;
    const deadline = this.deadline();
    const stop = new AbortController();
    let seen = "nothing yet";
    const watching = agent.watch(condition, {
      ...options,
      signal: stop.signal,
      onSeen: (words) => {
        seen = words;
      },
    });
    try {
      await withDeadline(watching, deadline, signal, () =>
        this.#late(
          boot,
          what,
          new CodedError(
            "wait.timeout",
            `Cannot ${what} on "${this.name}": not so after ${deadline.show()}; last seen: ${seen}`,
          ),
        ),
      );
    } finally {
      watching.catch(() => {});
      stop.abort();
    }
  }

  /** Wait for a line of a record, told by the record itself. */
  async untilLine(what: string, recorder: LineRecorder, pattern: RegExp | string): Promise<string> {
    const boot = this.boot();
    const deadline = this.deadline();
    const stop = new AbortController();
    try {
      return await withDeadline(
        recorder.await(pattern, stop.signal),
        deadline,
        boot.signal,
        () =>
          new CodedError(
            "wait.timeout",
            `Cannot ${what} on "${this.name}": not so after ${deadline.show()}; last seen: ${recorder.last(1)[0] ?? "nothing"}`,
          ),
      );
    } finally {
      stop.abort();
    }
  }

  /** Connect to an address as the guest knows it; names are looked up in the guest. */
  async connect(address: string, port: number): Promise<Duplex> {
    return this.boot().agent.connect(await this.address(address, port));
  }

  /** An address for a name. @throws {CodedError} `command.failed` when the guest does not know it. */
  async address(name: string, port: number): Promise<Extract<GuestAddress, { port: number }>> {
    if (name === "localhost") return { address: "127.0.0.1", port };
    if (/^[0-9.]+$/.test(name) || name.includes(":")) return { address: name, port };
    const found = await this.succeed(["getent", "ahosts", name]);
    return { address: found.split(/\s/, 1)[0] ?? "", port };
  }
}

/** What the kernel complained of since there were so many complaints. Its words come another way than a command's end, and may be later. */
async function complaintSince(boot: Boot, count: number, killed: boolean): Promise<string | undefined> {
  for (let waited = 0; killed && waited < CONSOLE_LAG_MS && boot.troubles.length === count; waited += LOOK_MS)
    await sleep(LOOK_MS);
  return boot.troubles[count]?.line;
}

/** The arguments that run a command of bash. */
export function shell(text: string): string[] {
  return ["bash", "-c", `set -euo pipefail\n${text}`];
}

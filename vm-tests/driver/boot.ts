import { randomInt } from "node:crypto";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Duplex } from "node:stream";
import {
  type Accelerator,
  type Architecture,
  type Disk,
  type Exchange,
  type MemoryFile,
  type Nic,
  restoreState,
  type SharedFolder,
  VirtualMachine,
} from "qemu-wrapper";
import { CodedError, type SourceLocation } from "../../core/base/index.ts";
import { AgentClient, type Hello } from "./agent-client.ts";
import { type ConsoleTrouble, judgeConsoleLine, judgeJournalLine, saysTheSame } from "./console-trouble.ts";
import { SERVICE_MANAGER_SOCKET, ServiceManager } from "./service-manager.ts";
import { Deadline, type GuestClock, qemuClock } from "./deadline.ts";
import { LineRecorder } from "./line-recorder.ts";
import type { TraceRecorder } from "./trace.ts";
import { withDeadline } from "./wait.ts";

/** Names of the two streams between host and guest; modules/testing/agent.ts has the guest's ends. */
export const AGENT_PORT = "org.floe.agent.0";
export const JOURNAL_PORT = "org.floe.journal.0";

/** Lines of console and journal that an error shows. */
export const SHOWN_LINES = 15;

/** How long the rest of a record may take to arrive from a QEMU that is gone. */
const DRAIN_MS = 2000;

/** How long a panicking kernel may go on printing before its machine is given up. */
const LAST_WORDS_MS = 700;

export interface BootSpecification {
  readonly name: string;
  readonly architecture: Architecture;
  readonly accelerator: Accelerator;
  readonly memoryMiB: number;
  readonly cpus: number;
  readonly kernel?: { readonly image: string; readonly initrd: string; readonly commandLine: string };
  readonly firmware?: string;
  readonly disks: readonly Disk[];
  readonly screen?: boolean;
  readonly nics?: readonly Nic[];
  /** Folders of the host that the guest may mount. */
  readonly folders?: readonly SharedFolder[];
  /** Folder for sockets. */
  readonly socketFolder: string;
  /** Folder for console.log and journal.log, which are appended to. */
  readonly folder: string;
  /** Counts the boots of this machine, from 1. */
  readonly number: number;
  readonly qemu?: string;
  /** File behind the guest's memory. */
  readonly memoryFile?: MemoryFile;
  /** Leave out the device that tells a guest that it was copied. */
  readonly withoutGenerationId?: boolean;
  /** Go on with a machine that was frozen or is stopped, in place of starting its kernel. */
  readonly copy?: CopiedBoot | ForkedBoot;
  /** Loaded into QEMU, so that it can be forked. */
  readonly forkLibrary?: string;
  /** Nobody wants it any more, while it is being started. */
  readonly signal?: AbortSignal;
  /** Writes to a record. Default: does what it is told. */
  readonly keep?: (write: () => void) => void;
  /** Told every line of console and journal as it ends. */
  readonly onLine?: (from: "console" | "journal", line: string) => void;
  /** Where the story stands, for what is said on the console. */
  readonly whereNow?: () => SourceLocation | undefined;
  /** Writes down what is said to QEMU and to the agent. */
  readonly trace?: TraceRecorder | undefined;
}

/** What console and journal had said when a boot in another process was stopped. */
export interface SaidBefore {
  readonly console: Buffer;
  readonly journal: Buffer;
}

/** A boot that took place in another process up to the instant at which it was frozen. */
export interface CopiedBoot extends SaidBefore {
  readonly stateFile: string;
  /** Whether the memory lies in a file of its own. */
  readonly withoutMemory: boolean;
  readonly memoryFile?: MemoryFile;
}

/** A boot whose process is forked. */
export interface ForkedBoot extends SaidBefore {
  readonly forked: VirtualMachine;
  /** Its disks and cards, and those of the copy in their place. */
  readonly exchanges: readonly Exchange[];
}

/** Room for the translated code of a copy, in MiB: it runs no boot, and many of them run at once. */
const COPY_TRANSLATION_MIB = 64;

/** Epochs below are numbers of boots, those from here on are drawn for copies. Source: the agent's protocol, a u32. */
const FIRST_COPY_EPOCH = 2 ** 31;

/** One boot of one machine, from QEMU's start to its end. */
export class Boot {
  readonly machine: VirtualMachine;
  readonly agent: AgentClient;
  /** The guest's systemd. */
  readonly manager: ServiceManager;
  readonly console: LineRecorder;
  readonly journal: LineRecorder;
  readonly clock: GuestClock;
  /** What the console said about the kernel's health. */
  readonly troubles: ConsoleTrouble[] = [];
  readonly #name: string;
  readonly #end = new AbortController();
  readonly #over = new AbortController();
  readonly #whereNow: () => SourceLocation | undefined;
  /** Settles when QEMU has ended and all that it had said is on record. */
  readonly over: Promise<void>;
  #ending = false;
  #fatal: CodedError | undefined;

  private constructor(
    specification: BootSpecification,
    machine: VirtualMachine,
    agentPort: Duplex,
    console: LineRecorder,
    journal: LineRecorder,
  ) {
    this.#name = specification.name;
    this.machine = machine;
    this.console = console;
    this.journal = journal;
    this.clock = qemuClock(machine.process.pid);
    // The agent of a copy has served somebody else already, whose numbers we do not know.
    const epoch = specification.copy === undefined ? specification.number : randomInt(FIRST_COPY_EPOCH, 2 ** 32);
    const { trace } = specification;
    if (trace !== undefined) machine.qmp.onTraffic((traffic) => trace.qmp(traffic));
    this.agent = new AgentClient(agentPort, epoch, {
      explainEnd: () => this.#explainEnd(),
      ...(trace === undefined ? {} : { onFrame: (to, type, stream, bytes) => trace.frame(to, type, stream, bytes) }),
    });
    this.manager = new ServiceManager(() => this.agent.connect({ path: SERVICE_MANAGER_SOCKET }));
    this.#whereNow = specification.whereNow ?? (() => undefined);
    // What was said before a copy began is no doing of the story's line that stands there now.
    for (const line of console.lines()) this.#note(judgeConsoleLine(line));
    for (const line of journal.lines()) this.#note(judgeJournalLine(line));
    console.onLine((line) => this.#note(judgeConsoleLine(line), this.#whereNow));
    journal.onLine((line) => this.#note(judgeJournalLine(line), this.#whereNow));
    this.over = this.#follow(trace);
  }

  /** Follow QEMU to its end. */
  async #follow(trace: TraceRecorder | undefined): Promise<void> {
    const { process, qmp } = this.machine;
    const stop = qmp.onEvent(({ event, data }) => {
      // QEMU stops the machine then, as if somebody could make room meanwhile.
      if (event !== "BLOCK_IO_ERROR" || data["nospace"] !== true || this.#ending) return;
      const reason = `the host has no room left for what its disk ${data["device"] || data["node-name"]} writes`;
      const hint = "Make room where the records of runs are kept, or name another place with --output.";
      this.#giveUp(this.#failure("machine.host-disk-full", reason, { hint }));
    });
    const exit = await process.exited;
    stop();
    await this.#drained();
    trace?.end();
    this.#over.abort();
    if (this.#ending) return;
    if (exit.signal === undefined && exit.status === 0) {
      this.#giveUp(this.#failure("machine.ended", "it powered off or asked for a reboot"));
      return;
    }
    const details = exit.words === "" ? [] : ["QEMU said:", ...exit.words.split("\n")];
    const reason = `QEMU ended by itself (${exit.signal ?? `status ${exit.status}`})`;
    const hint =
      exit.signal === "SIGKILL" ? "A host that runs out of memory kills processes; its kernel's log tells." : undefined;
    this.#giveUp(this.#failure("machine.qemu-died", reason, { details, hint }));
  }

  /** What QEMU wrote before its end lies in the sockets still. */
  async #drained(): Promise<void> {
    const streams = [this.machine.console, this.machine.ports.get(JOURNAL_PORT)];
    const closed = streams.map((stream) =>
      stream === undefined || stream.closed ? undefined : new Promise((resolve) => stream.once("close", resolve)),
    );
    await Promise.race([Promise.all(closed), sleep(DRAIN_MS, undefined, { ref: false })]);
  }

  /** Start QEMU and record from the first byte on. */
  static async start(specification: BootSpecification): Promise<Boot> {
    const { name, kernel, folder, number } = specification;
    const files = { console: join(folder, "console.log"), journal: join(folder, "journal.log") };
    const { copy, keep = (write) => write() } = specification;
    const how = copy === undefined ? (kernel?.commandLine ?? "firmware") : "a copy of a boot that had said";
    const header = `==== boot ${number} of ${name}: ${how}\n`;
    for (const [from, file] of Object.entries(files) as ["console" | "journal", string][]) {
      keep(() => appendFileSync(file, header));
      if (copy !== undefined) keep(() => appendFileSync(file, copy[from]));
    }
    const console = new LineRecorder();
    const journal = new LineRecorder();
    if (copy !== undefined) {
      console.push(copy.console);
      journal.push(copy.journal);
    }
    const { onLine = () => {} } = specification;
    console.onLine((line) => onLine("console", line));
    journal.onLine((line) => onLine("journal", line));
    const onConsole = (data: Buffer): void => {
      keep(() => appendFileSync(files.console, data));
      console.push(data);
    };
    const machine = await openMachine(specification, onConsole);
    const words = machine.process.argv.map((word) => JSON.stringify(word));
    keep(() => appendFileSync(join(folder, "argv.txt"), `${words.join(" ")}\n`));
    machine.ports.get(JOURNAL_PORT)?.on("data", (data: Buffer) => {
      keep(() => appendFileSync(files.journal, data));
      journal.push(data);
    });
    const port = machine.ports.get(AGENT_PORT);
    if (port === undefined) throw new Error("QEMU was started without the agent's port");
    if (copy !== undefined) await resume(machine, copy, specification.signal);
    return new Boot(specification, machine, port, console, journal);
  }

  /** Aborted, with the reason, when the guest cannot go on. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /** Aborted when QEMU has ended, in whatever way. */
  get ended(): AbortSignal {
    return this.#over.signal;
  }

  get running(): boolean {
    return this.machine.process.exit === undefined;
  }

  /**
   * Wait until the agent in the guest answers.
   *
   * @throws {CodedError} of what became of the guest or QEMU meanwhile, such as `machine.kernel-panic`; `machine.no-agent` when the time is
   *   over.
   */
  async waitForAgent(seconds: number): Promise<Hello> {
    const deadline = new Deadline(seconds, this.clock);
    return withDeadline(this.agent.hello, deadline, this.signal, () => {
      const said = this.console.last(1)[0];
      const cause = said === undefined ? "its console stayed empty" : `last on its console: ${said.trim()}`;
      return this.#failure("machine.no-agent", `no word from the agent within ${deadline.show()}; ${cause}`);
    });
  }

  /** From now on the end of QEMU is expected. */
  expectEnd(): void {
    this.#ending = true;
  }

  /** Last lines of console and journal, for people. */
  lastWords(): string[] {
    const show = (title: string, recorder: LineRecorder): string[] => {
      const lines = recorder.last(SHOWN_LINES);
      return lines.length === 0 ? [`${title}: empty`] : [`${title}, last lines:`, ...lines.map((line) => `  ${line}`)];
    };
    return [...show("console", this.console), ...show("journal", this.journal)];
  }

  /** @param whereNow Asked for a complaint alone: most lines are none. */
  #note(found: ConsoleTrouble | undefined, whereNow: () => SourceLocation | undefined = () => undefined): void {
    if (found === undefined || this.troubles.some((trouble) => saysTheSame(trouble, found))) return;
    const at = whereNow();
    this.troubles.push(at === undefined ? found : { ...found, at });
    if (found.kind !== "fatal" || this.#ending || this.#fatal !== undefined) return;
    const fatal = this.#failure(found.code, found.line);
    this.#fatal = fatal;
    setTimeout(() => this.#giveUp(fatal), LAST_WORDS_MS).unref();
  }

  /** The agent's stream closes a moment before QEMU is gone; the end of QEMU is what an author wants to hear of. */
  async #explainEnd(): Promise<CodedError | undefined> {
    if (this.#ending) return undefined;
    await this.over;
    return this.#end.signal.reason as CodedError;
  }

  #failure(
    code: string,
    reason: string,
    more: { readonly details?: readonly string[]; readonly hint?: string | undefined } = {},
  ): CodedError {
    const verb = this.agent.greeted ? "go on with" : "boot";
    return new CodedError(code, `Cannot ${verb} the machine "${this.#name}": ${reason}`, more);
  }

  /** What the kernel said when it died comes before the end that followed from it. */
  #giveUp(error: CodedError): void {
    if (!this.#end.signal.aborted) this.#end.abort(this.#fatal ?? error);
  }
}

/** QEMU with all that is connected to it; a copy does not run yet. */
function openMachine(specification: BootSpecification, onConsole: (data: Buffer) => void): Promise<VirtualMachine> {
  const { copy, socketFolder, name, architecture, accelerator, memoryMiB, cpus, kernel, firmware, disks, signal } =
    specification;
  if (copy !== undefined && "forked" in copy)
    return copy.forked.fork({ folder: socketFolder, onConsole, exchanges: copy.exchanges, signal });
  const memoryFile = copy?.memoryFile ?? specification.memoryFile;
  return VirtualMachine.start({
    shape: {
      name,
      architecture,
      accelerator,
      memoryMiB,
      cpus,
      disks,
      ...(specification.screen === true ? { screen: true } : {}),
      nics: specification.nics ?? [],
      ports: [AGENT_PORT, JOURNAL_PORT],
      ...(specification.folders === undefined ? {} : { folders: specification.folders }),
      ...(memoryFile === undefined ? {} : { memoryFile }),
      ...(specification.withoutGenerationId === true ? { withoutGenerationId: true } : {}),
      ...(copy === undefined ? {} : { incoming: true, translationMiB: COPY_TRANSLATION_MIB }),
      ...(kernel === undefined ? {} : { kernel }),
      ...(firmware === undefined ? {} : { firmware }),
    },
    folder: socketFolder,
    onConsole,
    signal,
    ...(specification.qemu === undefined ? {} : { qemu: specification.qemu }),
    ...(specification.forkLibrary === undefined ? {} : { forkLibrary: specification.forkLibrary }),
  });
}

/** Let a copy run; one that was frozen is restored before. */
async function resume(machine: VirtualMachine, copy: CopiedBoot | ForkedBoot, signal?: AbortSignal): Promise<void> {
  try {
    if ("stateFile" in copy)
      await restoreState(machine, { file: copy.stateFile, withoutMemory: copy.withoutMemory, signal });
    await machine.qmp.command("cont", undefined, signal);
  } catch (error) {
    await machine.cutPower();
    throw error;
  }
}

import { randomInt } from "node:crypto";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import {
  type Accelerator,
  type Architecture,
  type Disk,
  type MemoryFile,
  type Nic,
  restoreState,
  type SharedFolder,
  VirtualMachine,
} from "qemu-wrapper";
import { CodedError } from "../../core/base/index.ts";
import { AgentClient, type Hello } from "./agent-client.ts";
import { type ConsoleTrouble, judgeConsoleLine } from "./console-trouble.ts";
import { SERVICE_MANAGER_SOCKET, ServiceManager } from "./service-manager.ts";
import { Deadline, type GuestClock, qemuClock } from "./deadline.ts";
import { LineRecorder } from "./line-recorder.ts";
import { withDeadline } from "./wait.ts";

/** Names of the two streams between host and guest; modules/testing/agent.ts has the guest's ends. */
export const AGENT_PORT = "org.floe.agent.0";
export const JOURNAL_PORT = "org.floe.journal.0";

/** Lines of console and journal that an error shows. */
export const SHOWN_LINES = 15;

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
  /** Go on with a machine that was frozen, in place of starting its kernel. */
  readonly copy?: CopiedBoot;
  /** Told every line of console and journal as it ends. */
  readonly onLine?: (from: "console" | "journal", line: string) => void;
}

/** A boot that took place in another process up to the instant at which it was frozen. */
export interface CopiedBoot {
  readonly stateFile: string;
  /** Whether the memory lies in a file of its own. */
  readonly withoutMemory: boolean;
  readonly memoryFile?: MemoryFile;
  /** What console and journal had said by then. */
  readonly console: Buffer;
  readonly journal: Buffer;
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
    this.agent = new AgentClient(agentPort, epoch, { explainEnd: () => this.#explainEnd() });
    this.manager = new ServiceManager(() => this.agent.connect({ path: SERVICE_MANAGER_SOCKET }));
    for (const line of console.lines()) this.#judge(line);
    console.onLine((line) => this.#judge(line));
    void machine.process.exited.then((exit) => {
      this.#over.abort();
      if (this.#ending) return;
      const words = exit.words === "" ? [] : ["QEMU said:", ...exit.words.split("\n")];
      const how = exit.signal ?? (exit.status === 0 ? "it powered off or asked for a reboot" : `status ${exit.status}`);
      this.#giveUp(this.#failure("machine.ended", `the machine ended unexpectedly (${how})`, words));
    });
  }

  /** Start QEMU and record from the first byte on. */
  static async start(specification: BootSpecification): Promise<Boot> {
    const { name, architecture, accelerator, memoryMiB, cpus, kernel, firmware, disks, folder, number } = specification;
    const files = { console: join(folder, "console.log"), journal: join(folder, "journal.log") };
    const { copy } = specification;
    const memoryFile = copy?.memoryFile ?? specification.memoryFile;
    const how = copy === undefined ? (kernel?.commandLine ?? "firmware") : "a copy of a boot that had said";
    const header = `==== boot ${number} of ${name}: ${how}\n`;
    for (const [from, file] of Object.entries(files) as ["console" | "journal", string][]) {
      appendFileSync(file, header);
      if (copy !== undefined) appendFileSync(file, copy[from]);
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
    const machine = await VirtualMachine.start({
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
        ...(copy === undefined ? {} : { incoming: true, translationMiB: COPY_TRANSLATION_MIB }),
        ...(kernel === undefined ? {} : { kernel }),
        ...(firmware === undefined ? {} : { firmware }),
      },
      folder: specification.socketFolder,
      onConsole: (data) => {
        appendFileSync(files.console, data);
        console.push(data);
      },
      ...(specification.qemu === undefined ? {} : { qemu: specification.qemu }),
    });
    appendFileSync(join(folder, "argv.txt"), `${machine.process.argv.map((word) => JSON.stringify(word)).join(" ")}\n`);
    machine.ports.get(JOURNAL_PORT)?.on("data", (data: Buffer) => {
      appendFileSync(files.journal, data);
      journal.push(data);
    });
    const port = machine.ports.get(AGENT_PORT);
    if (port === undefined) throw new Error("QEMU was started without the agent's port");
    if (copy !== undefined) await resume(machine, copy);
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
   * @throws {CodedError} `machine.kernel-panic`, `machine.ended`, or `machine.no-agent` when the time is over.
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

  #judge(line: string): void {
    const trouble = judgeConsoleLine(line);
    if (trouble === undefined) return;
    this.troubles.push(trouble);
    if (trouble.kind !== "fatal" || this.#ending || this.#fatal !== undefined) return;
    const code = /panic/i.test(trouble.line) ? "machine.kernel-panic" : "machine.boot-failed";
    const fatal = this.#failure(code, trouble.line);
    this.#fatal = fatal;
    setTimeout(() => this.#giveUp(fatal), LAST_WORDS_MS).unref();
  }

  /** The agent's stream closes a moment before QEMU is gone; the end of QEMU is what an author wants to hear of. */
  async #explainEnd(): Promise<CodedError | undefined> {
    if (this.#ending) return undefined;
    await this.machine.process.exited;
    return this.#end.signal.reason as CodedError;
  }

  #failure(code: string, reason: string, details: readonly string[] = []): CodedError {
    const verb = this.agent.greeted ? "go on with" : "boot";
    return new CodedError(code, `Cannot ${verb} the machine "${this.#name}": ${reason}`, { details });
  }

  /** What the kernel said when it died comes before the end that followed from it. */
  #giveUp(error: CodedError): void {
    if (!this.#end.signal.aborted) this.#end.abort(this.#fatal ?? error);
  }
}

/** Restore what was frozen, and let it run. */
async function resume(machine: VirtualMachine, { stateFile, withoutMemory }: CopiedBoot): Promise<void> {
  try {
    await restoreState(machine.qmp, { file: stateFile, withoutMemory });
    await machine.qmp.command("cont");
  } catch (error) {
    await machine.cutPower();
    throw error;
  }
}

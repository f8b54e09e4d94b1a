import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Accelerator,
  type Disk,
  makeRunDirectory,
  type Nic,
  QemuError,
  type RunDirectory,
  rejectKvm,
} from "qemu-wrapper";
import { CodedError } from "../../core/base/index.ts";
import type { BootOptions, ForkOptions, Systems } from "../machine.ts";
import type { MachineManifest } from "../manifest.ts";
import { hostMemory } from "./admission.ts";
import { chooseBootEntry, entryToChoose } from "./boot-menu.ts";
import { becomeItself } from "./become-itself.ts";
import { Boot, type BootSpecification } from "./boot.ts";
import type { ConsoleTrouble } from "./console-trouble.ts";
import { copyOf, freeze, type FrozenMachine, memoryToFreeze } from "./frozen.ts";
import {
  copiedDisks,
  type DisksOptions,
  forkedDisks,
  keepDisks,
  newDisks,
  RECORD,
  templateDisks,
} from "./machine-disks.ts";
import { GuestCalls } from "./guest-calls.ts";
import type { Sleep } from "./guest-sleep.ts";
import { readKernelArchitecture } from "./kernel-image.ts";
import { areCables } from "./loose-cables.ts";
import { makeZygote } from "./make-zygote.ts";
import { type RunLog, showSeconds } from "./run-log.ts";
import { settleAndFreeze, templateKeyOf, type Templates } from "./template.ts";
import type { HeldTemplate, TemplateFacts } from "./template-store.ts";
import { LINES_FILE, TRACE_FILE } from "./run-folder.ts";
import { TraceRecorder } from "./trace.ts";
import { readUsage } from "./usage.ts";
import { forkOf, type HeldZygote } from "./zygotes.ts";

/** Seconds of the guest until the agent has to answer. */
const BOOT_SECONDS = 120;

/** Within this time even a slow kernel has said its first word, so that one that has not is one that does not run. */
const FIRST_LIGHT_SECONDS = 10;

/** The same until a fork answers, which another copy answers first. */
const FORK_SECONDS = 20;

/** A fork that does not answer, and one whose QEMU died. */
const FORK_FAULTS = ["machine.no-agent", "machine.qemu-died"];

/** Source: machine-id(5). */
const MACHINE_ID_BYTES = 16;

/** How often it is written down what a machine uses. */
const SAMPLE_MS = 1000;

/**
 * What the driver adds to every kernel command line: where to speak, not to sit there after a panic, and to tell of programs that crash, which
 * kernels of aarch64 do not by themselves.
 */
const DRIVER_PARAMETERS: Readonly<Record<MachineManifest["architecture"], string>> = {
  x86_64: "console=ttyS0,115200 panic=-1",
  aarch64: "console=ttyAMA0,115200 panic=-1 sysctl.debug.exception-trace=1",
};

/**
 * Programs lie at the same addresses each time: translated code is for one address, and a guest that draws new ones for each process is
 * translated anew with each, which took two thirds of starting a program and a fifth of a boot.
 */
const TRANSLATED_PARAMETERS = "norandmaps";

export interface MachineHostOptions {
  readonly name: string;
  readonly manifest: MachineManifest;
  /** Its network cards. */
  readonly nics: readonly Nic[];
  readonly accelerator: Accelerator;
  /** Whether a guest that shows no life under KVM is started again under TCG. */
  readonly mayFallBack: boolean;
  /** Run folder of this machine. */
  readonly folder: string;
  /** Folder of the story, from which relative host paths start. */
  readonly storyFolder: string;
  /** Where a store path lies on this host. */
  readonly realPath: (storePath: string) => string;
  readonly log: RunLog;
  /** Keeps an entry, with its time, in a file of the machine's folder. */
  readonly record: (file: string, entry: object) => void;
  /** Writes to a record. Default: does what it is told. */
  readonly keep?: (write: () => void) => void;
  /** Keep also what is said to QEMU and to the agent. */
  readonly trace?: boolean | undefined;
  /** Start from a copy of the machine as it was after its boot. Default: boot. */
  readonly templates?: Templates;
  /** Machines of its test that are as it is, itself among them. Default: 1. */
  readonly alike?: number;
  /** Makes the host of a fork, and sees to its end. */
  readonly fork: (name: string, checkpoint: KeptMachine) => MachineHost;
  /** What it begins as, in place of new disks and no power. */
  readonly from?: KeptMachine;
}

/** What a machine was at one instant: its disks, and all that went on in it. */
export interface KeptMachine extends FrozenMachine {
  readonly accelerator: Accelerator;
}

/** Folder of a machine for what it was at some instants. */
export const CHECKPOINTS = "checkpoints";

/** A guest under KVM said nothing at all. */
class NoLife extends Error {}

/** The host's side of one machine: its disks, which last from boot to boot, and the boot that is running. */
export class MachineHost {
  readonly name: string;
  readonly folder: string;
  readonly storyFolder: string;
  readonly log: RunLog;
  /** Toplevels by generation name. */
  readonly systems: Systems;
  /** What the story has asked of this machine. */
  readonly calls: GuestCalls;
  readonly #ends = new Set<() => Promise<void>>();
  readonly #options: MachineHostOptions;
  readonly #sockets: RunDirectory = makeRunDirectory();
  #disks: readonly Disk[] | undefined;
  readonly #past: ConsoleTrouble[] = [];
  #accelerator: Accelerator;
  #boot: Boot | undefined;
  #boots = 0;
  #checkpoints = 0;
  #forks = 0;
  #template: HeldTemplate | undefined;
  /** Cards whose cables are out. */
  readonly #blocked = new Set<string>();
  readonly #disposing = new AbortController();
  /** Settles when no start is under way. */
  #starting: Promise<unknown> = Promise.resolve();

  constructor(options: MachineHostOptions) {
    this.#options = options;
    this.name = options.name;
    this.#accelerator = options.from?.accelerator ?? options.accelerator;
    this.folder = options.folder;
    this.storyFolder = options.storyFolder;
    this.log = options.log;
    this.calls = new GuestCalls(options.name);
    this.systems = Object.fromEntries(
      Object.entries(options.manifest.generations).map(([name, generation]) => [name, generation.toplevel]),
    ) as Systems;
  }

  get running(): boolean {
    return this.#boot?.running === true;
  }

  get hasScreen(): boolean {
    return this.#options.manifest.screen === true;
  }

  /** What reads its pictures, as a path; `undefined`: one of this host. */
  get tesseract(): string | undefined {
    const { manifest, realPath } = this.#options;
    return manifest.tesseract === undefined ? undefined : realPath(manifest.tesseract);
  }

  /** How it sleeps; `undefined` for one that would not wake. */
  get sleep(): Sleep | undefined {
    const { architecture, firmware } = this.#options.manifest;
    if (architecture === "aarch64") return "idle";
    return firmware === undefined ? undefined : "deep";
  }

  /** The disks by their places, /dev/vda first. Those the story has named can be taken out while the machine runs. */
  get disks(): readonly { readonly name: string; readonly removable: boolean }[] {
    const { recordedImage, disks = {} } = this.#options.manifest;
    const own = ["root", "store", ...(recordedImage === undefined ? [] : ["recorded"])];
    return [
      ...own.map((name) => ({ name, removable: false })),
      ...Object.keys(disks).map((name) => ({ name, removable: true })),
    ];
  }

  /** Have something done when the test is over. */
  atEnd(end: () => Promise<void>): void {
    this.#ends.add(end);
  }

  /** It is done already. */
  forget(end: () => Promise<void>): void {
    this.#ends.delete(end);
  }

  /** The last boot, running or not; `undefined` before the first. */
  get lastBoot(): Boot | undefined {
    return this.#boot;
  }

  /** What the consoles of all boots said about the kernel's health. */
  troubles(): readonly ConsoleTrouble[] {
    return [...this.#past, ...(this.#boot?.troubles ?? [])];
  }

  /** @throws {CodedError} `machine.off` when the machine is not running. */
  current(): Boot {
    if (this.#boot?.signal.aborted === true) throw this.#boot.signal.reason;
    if (this.#boot !== undefined && this.running) return this.#boot;
    throw new CodedError("machine.off", `Cannot reach the machine "${this.name}": it is off`, {
      hint: `Call ${this.name}.start() first.`,
    });
  }

  /**
   * Boot the default generation, or the one whose number is given, and wait for the agent. The first boot of the default generation may be
   * a copy of one that took place before.
   *
   * @param seconds Of the guest, until the agent has to answer.
   * @throws {CodedError} `machine.disposed` when the run is over, as for a story that outlived its time; `machine.wrong-architecture`,
   *   `machine.no-host-memory` of a machine that cannot be one here.
   */
  async boot(options: BootOptions, seconds = BOOT_SECONDS): Promise<void> {
    const begin = performance.now();
    this.#checkPossible();
    try {
      await this.#bootOnce(options, { begin, seconds });
    } catch (error) {
      if (!(error instanceof NoLife)) throw error;
      const reason = `a guest wrote nothing to its console within ${FIRST_LIGHT_SECONDS} s under KVM`;
      rejectKvm(reason);
      this.log({ kind: "trouble", machine: this.name, line: `${reason}: starting it again under TCG` });
      await this.#cutPower();
      this.#accelerator = "tcg";
      await this.#bootOnce(options, { begin, seconds });
    }
  }

  /** Say of a machine that cannot run what QEMU or its guest would say in words of their own, or not at all. */
  #checkPossible(): void {
    const { manifest, realPath } = this.#options;
    const { architecture, memoryMiB, generations } = manifest;
    const kernel = readKernelArchitecture(realPath(generations.base.kernel));
    if (kernel !== undefined && kernel !== architecture) {
      throw new CodedError(
        "machine.wrong-architecture",
        `Cannot boot the machine "${this.name}": its kernel is for ${kernel}, and the machine is ${architecture}`,
        { details: [generations.base.kernel] },
      );
    }
    const hostMiB = Math.floor(hostMemory() / 2 ** 20);
    if (memoryMiB <= hostMiB) return;
    throw new CodedError(
      "machine.no-host-memory",
      `Cannot start the machine "${this.name}": it has ${memoryMiB} MiB of memory, and this host ${hostMiB} MiB`,
      { hint: "Say less in the machine's memoryMiB, or run the test on a larger host." },
    );
  }

  async #bootOnce(options: BootOptions, { begin, seconds }: BootTimes): Promise<void> {
    const { templates } = this.#options;
    if (templates !== undefined && this.#disks === undefined && isDefault(options)) {
      const template = await this.#holdTemplate(templates);
      if (template.facts.refused === undefined) {
        this.#template = template;
        if (await this.#resumeAsFork(templates, template.key, { begin, seconds })) return;
        this.#disks = await copiedDisks(this.#diskOptions(), template.folder);
        const frozen = { folder: template.folder, method: templates.method };
        return this.#resume(frozen, "a copy of its first boot", { begin, seconds });
      }
      template.release();
      this.log({ kind: "machine", machine: this.name, text: `cannot be copied: ${template.facts.refused}` });
    }
    const which = isDefault(options)
      ? "the default generation"
      : `${options.entry ?? `generation ${options.generation}`}`;
    await this.#bootCold(options, which, seconds);
    this.#answers(begin);
  }

  async #bootCold(
    options: BootOptions,
    which: string,
    seconds: number,
    extra: Partial<BootSpecification> = {},
  ): Promise<Boot> {
    this.log({ kind: "machine", machine: this.name, text: `boots ${which}`, state: "booting" });
    const boot = await this.#start(options, extra);
    if (this.#accelerator === "kvm" && this.#options.mayFallBack && !(await showsLife(boot))) throw new NoLife();
    const entry = entryToChoose(this.name, this.#options.manifest, options);
    if (entry !== undefined) {
      const line = await chooseBootEntry(boot, this.name, entry);
      this.log({ kind: "machine", machine: this.name, text: `boots "${line}" of its menu` });
    }
    await boot.waitForAgent(seconds);
    return boot;
  }

  #answers(begin: number): void {
    const seconds = (performance.now() - begin) / 1000;
    const text = `answers after ${showSeconds(seconds)}`;
    this.log({ kind: "machine", machine: this.name, text, seconds, state: "running" });
  }

  /** The template of this machine, which is made by booting it when there is none. */
  #holdTemplate(templates: Templates): Promise<HeldTemplate> {
    const { manifest, realPath } = this.#options;
    const { architecture } = manifest;
    const accelerator = this.#accelerator;
    const commandLine = this.#commandLine({});
    const key = templateKeyOf({ ...templates, manifest, accelerator, commandLine, realPath });
    const facts: TemplateFacts = { machine: this.name, architecture, accelerator };
    const make = async (folder: string): Promise<TemplateFacts> => {
      const frozen = { folder, method: templates.method };
      const memoryFile = memoryToFreeze(frozen);
      const boot = await this.#bootCold({}, "to be copied", BOOT_SECONDS, {
        disks: await templateDisks({ ...this.#diskOptions(), folder }),
        ...(memoryFile === undefined ? {} : { memoryFile }),
      });
      const made = await settleAndFreeze(boot, folder, { method: templates.method, machine: this.name, facts });
      boot.expectEnd();
      boot.agent.close();
      await boot.machine.quit();
      this.#boot = undefined;
      return made;
    };
    return templates.store.hold(key, make, this.#disposing.signal);
  }

  /** Let a frozen machine go on, as one of its own. */
  async #resume(frozen: FrozenMachine, what: string, { begin, seconds }: BootTimes): Promise<void> {
    this.log({ kind: "machine", machine: this.name, text: `starts as ${what}`, state: "booting" });
    await becomeItself(await this.#start({}, { copy: copyOf(frozen) }), seconds);
    this.#answers(begin);
  }

  /** Go on where a copy of its template is that has answered a command before. @returns whether there is one, and it works. */
  async #resumeAsFork(templates: Templates, key: string, { begin, seconds }: BootTimes): Promise<boolean> {
    const { nics, alike = 1 } = this.#options;
    const { forks } = templates;
    if (forks === undefined || !areCables(nics)) return false;
    let held: HeldZygote | undefined;
    try {
      held = await forks.zygotes.hold(key, alike, async (signal) =>
        makeZygote({
          nics,
          template: await this.#holdTemplate(templates),
          method: templates.method,
          disks: this.#diskOptions(),
          start: (extra) => this.#startQemu({}, { ...extra, forkLibrary: forks.library }),
          signal,
        }),
      );
      // Its test may have ended meanwhile, with all that is in its folder.
      this.#refuseWhenDisposed();
      if (held === undefined) return false;
      this.log({ kind: "machine", machine: this.name, text: "starts as a fork of a copy", state: "booting" });
      this.#disks = await forkedDisks(this.#diskOptions(), held.zygote.folder);
      const boot = await this.#start({}, { copy: forkOf(held.zygote, { disks: this.#disks, nics }) });
      void boot.over.then(held.release);
      await becomeItself(boot, Math.min(seconds, FORK_SECONDS));
      this.#answers(begin);
      return true;
    } catch (error) {
      held?.release();
      this.#refuseWhenDisposed();
      if (!isFaultOfFork(error)) throw error;
      forks.zygotes.giveUp(key);
      this.log({ kind: "machine", machine: this.name, text: `cannot be forked: ${error.message}` });
      await this.#cutPower();
      this.#disks = undefined;
      return false;
    }
  }

  /** Write down what the running machine is, memory and disks, and let it go on. */
  async checkpoint(): Promise<KeptMachine> {
    const boot = this.current();
    const folder = join(this.folder, CHECKPOINTS, `${++this.#checkpoints}`);
    mkdirSync(folder, { recursive: true });
    // Its memory is its own by now, so it goes into the state.
    const kept: KeptMachine = { folder, method: "whole-state", accelerator: this.#accelerator };
    const begin = performance.now();
    await freeze(boot, kept);
    await keepDisks(this.#options.manifest, this.folder, folder);
    await boot.machine.qmp.command("cont", undefined, boot.signal);
    const seconds = (performance.now() - begin) / 1000;
    this.log({ kind: "machine", machine: this.name, text: `kept as it is within ${showSeconds(seconds)}`, seconds });
    return kept;
  }

  /** A machine of its own that goes on where this one was when it was kept. */
  async fork(checkpoint: KeptMachine, options: ForkOptions): Promise<MachineHost> {
    const fork = this.#options.fork(`${this.name}-${++this.#forks}`, checkpoint);
    await fork.#resumeFork(checkpoint, options);
    return fork;
  }

  async #resumeFork(checkpoint: KeptMachine, { ownMachineId }: ForkOptions): Promise<void> {
    const begin = performance.now();
    this.#disks = await forkedDisks(this.#diskOptions(), checkpoint.folder);
    await this.#resume(checkpoint, "a fork", { begin, seconds: BOOT_SECONDS });
    if (ownMachineId !== true) return;
    const id = randomBytes(MACHINE_ID_BYTES).toString("hex");
    // The file of /etc is a read-only view of this one, or it is the file itself.
    const write = 'f=/run/machine-id; [ -e $f ] || f=/etc/machine-id; echo "$1" > $f';
    await this.current().agent.exec(["bash", "-c", write, "bash", id]).result;
  }

  /** File of the root disk of a machine that is off. @throws {CodedError} `machine.running`, `machine.no-disk` */
  rootDisk(): string {
    if (this.running)
      throw new CodedError("machine.running", `Cannot look at the disk of "${this.name}": the machine is running`);
    const [root] = this.#disks ?? [];
    if (root !== undefined) return root.file;
    throw new CodedError("machine.no-disk", `Cannot look at the disk of "${this.name}": it was never started`);
  }

  #start(options: BootOptions, extra: Partial<BootSpecification>): Promise<Boot> {
    const starting = this.#startUnlessDisposed(options, extra);
    this.#starting = starting.catch(() => {});
    return starting;
  }

  async #startUnlessDisposed(options: BootOptions, extra: Partial<BootSpecification>): Promise<Boot> {
    this.#refuseWhenDisposed();
    if (extra.disks === undefined) this.#disks ??= await newDisks(this.#diskOptions());
    const boot = await this.#startQemu(options, extra);
    this.#past.push(...(this.#boot?.troubles ?? []));
    this.#boot = boot;
    for (const card of this.#blocked) await boot.machine.setLink(card, false);
    this.#sample(boot);
    this.#refuseWhenDisposed();
    return boot;
  }

  #sample(boot: Boot): void {
    const timer = setInterval(async () => {
      const usage = await readUsage(boot.machine);
      if (usage !== undefined) this.#options.record("samples.ndjson", usage);
    }, SAMPLE_MS);
    timer.unref();
    void boot.machine.process.exited.then(() => clearInterval(timer));
  }

  #refuseWhenDisposed(): void {
    if (!this.#disposing.signal.aborted) return;
    throw this.#disposing.signal.reason;
  }

  #startQemu(options: BootOptions, extra: Partial<BootSpecification>): Promise<Boot> {
    const { manifest, realPath } = this.#options;
    const { base } = manifest.generations;
    return Boot.start({
      name: this.name,
      architecture: manifest.architecture,
      accelerator: this.#accelerator,
      memoryMiB: manifest.memoryMiB,
      cpus: manifest.cpus,
      // One that starts itself has them on its disk.
      ...(manifest.bootImage === undefined
        ? {
            kernel: {
              image: realPath(base.kernel),
              initrd: realPath(base.initrd),
              commandLine: this.#commandLine(options),
            },
          }
        : {}),
      ...(manifest.firmware === undefined ? {} : { firmware: realPath(manifest.firmware) }),
      disks: this.#disks ?? [],
      ...(this.hasScreen ? { screen: true } : {}),
      nics: this.#options.nics,
      socketFolder: this.#sockets.path,
      folder: this.folder,
      number: extra.number ?? ++this.#boots,
      trace:
        this.#options.trace === true
          ? new TraceRecorder((entry) => this.#options.record(TRACE_FILE, entry))
          : undefined,
      onLine: (from, line) => this.#options.record(LINES_FILE, { from, line }),
      ...(this.#options.keep === undefined ? {} : { keep: this.#options.keep }),
      whereNow: () => this.calls.pending?.at,
      signal: this.#disposing.signal,
      ...extra,
    });
  }

  #commandLine({ generation }: BootOptions): string {
    const { architecture, generations } = this.#options.manifest;
    const chosen = generation === undefined ? "" : ` floe.generation=${generation}`;
    const translated = this.#accelerator === "tcg" ? ` ${TRANSLATED_PARAMETERS}` : "";
    return `${generations.base.kernelParameters} ${DRIVER_PARAMETERS[architecture]}${translated}${chosen}`.trim();
  }

  #diskOptions(): DisksOptions {
    const { manifest, realPath, folder } = this.#options;
    return { manifest, realPath, folder };
  }

  async #cutPower(): Promise<void> {
    if (this.#boot === undefined) return;
    this.#boot.expectEnd();
    this.#boot.agent.close();
    if (this.running) await this.#boot.machine.cutPower();
    await this.#boot.over;
  }

  /**
   * Put the cables of the cards in, or take them out: of all, or of the one in a network.
   *
   * @throws {CodedError} `machine.no-network`
   */
  async setCables(connected: boolean, network?: string): Promise<void> {
    const cards = this.#options.nics.map(({ id }) => id);
    const meant = network === undefined ? cards : cards.filter((card) => card === network);
    if (meant.length === 0) {
      const of = network === undefined ? "any network" : `the network "${network}"`;
      throw new CodedError("machine.no-network", `Cannot reach "${this.name}" in ${of}: it is not in it`, {
        hint: cards.length === 0 ? "Declare networks in the story." : `It is in ${cards.join(", ")}.`,
      });
    }
    for (const card of meant) {
      if (connected) this.#blocked.delete(card);
      else this.#blocked.add(card);
      if (this.running) await this.current().machine.setLink(card, connected);
    }
    const text = connected ? "has its cables again" : "loses its cables";
    this.log({ kind: "machine", machine: this.name, text: `${text}: ${meant.join(", ")}` });
  }

  /** End what runs, also what is just being started, and remove the sockets. Nothing starts afterwards. */
  async dispose(): Promise<void> {
    this.#disposing.abort(
      new CodedError("machine.disposed", `Cannot start the machine "${this.name}": its test is over`),
    );
    await this.#starting;
    for (const end of [...this.#ends]) await end();
    await this.#cutPower();
    this.#template?.release();
    this.#sockets.remove();
  }

  /**
   * The image the recorded disk began with, and the record of all that was written to it.
   *
   * @throws {CodedError} `machine.running`; `machine.no-recorded-disk` when it has none or was never started
   */
  getRecord(): { readonly image: string; readonly log: string } {
    const { recordedImage } = this.#options.manifest;
    if (this.running)
      throw new CodedError("machine.running", `Cannot look at the disk of "${this.name}": the machine is running`);
    if (recordedImage === undefined || this.#disks === undefined)
      throw new CodedError(
        "machine.no-recorded-disk",
        `Cannot look at the recorded disk of "${this.name}": it has none`,
        {
          hint: "Say recordedDisk: true for the machine, and start it.",
        },
      );
    return { image: this.#options.realPath(recordedImage), log: join(this.folder, RECORD) };
  }
}

/** When a start began, and the seconds of the guest that it may take. */
interface BootTimes {
  readonly begin: number;
  readonly seconds: number;
}

/** Whether nothing in particular is to be booted. */
function isDefault({ generation, entry }: BootOptions): boolean {
  return generation === undefined && entry === undefined;
}

/** Whether anything reached the console in time. */
async function showsLife(boot: Boot): Promise<boolean> {
  for (let waited = 0; waited < FIRST_LIGHT_SECONDS * 1000; waited += 100) {
    if (boot.console.lines().length > 0 || !boot.running) return true;
    await sleep(100);
  }
  return false;
}

/** What a copy that is made in another way may do better. */
function isFaultOfFork(error: unknown): error is Error {
  return error instanceof QemuError || (error instanceof CodedError && FORK_FAULTS.includes(error.code));
}

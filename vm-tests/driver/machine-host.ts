import { constants } from "node:fs";
import { chmod, copyFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Accelerator,
  createOverlay,
  type Disk,
  makeRunDirectory,
  type Nic,
  type RunDirectory,
  rejectKvm,
} from "qemu-wrapper";
import { CodedError } from "../../core/base/index.ts";
import type { BootOptions, Systems } from "../machine.ts";
import type { MachineManifest } from "../manifest.ts";
import { Boot } from "./boot.ts";
import type { ConsoleTrouble } from "./console-trouble.ts";
import { GuestCalls } from "./guest-calls.ts";
import { type RunLog, showSeconds } from "./run-log.ts";
import { readUsage } from "./usage.ts";

/** Files of the recorded disk in a machine's folder. */
export const RECORDED_DISK = "recorded.img";
export const RECORD = "recorded.log";

/** Seconds of the guest until the agent has to answer. */
const BOOT_SECONDS = 120;

/** Within this time even a slow kernel has said its first word, so that one that has not is one that does not run. */
const FIRST_LIGHT_SECONDS = 10;

/** How often it is written down what a machine uses. */
const SAMPLE_MS = 1000;

/** What the driver adds to every kernel command line: where to speak, and not to sit there after a panic. */
const DRIVER_PARAMETERS: Readonly<Record<MachineManifest["architecture"], string>> = {
  x86_64: "console=ttyS0,115200 panic=-1",
  aarch64: "console=ttyAMA0,115200 panic=-1",
};

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
}

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
  #disposed = false;
  /** Settles when no start is under way. */
  #starting: Promise<unknown> = Promise.resolve();

  constructor(options: MachineHostOptions) {
    this.#options = options;
    this.name = options.name;
    this.#accelerator = options.accelerator;
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
   * Boot the default generation, or the one whose number is given, and wait for the agent.
   *
   * @throws {CodedError} `machine.disposed` when the run is over, as for a story that outlived its time.
   */
  async boot(options: BootOptions): Promise<void> {
    const begin = performance.now();
    const which = options.generation === undefined ? "the default generation" : `generation ${options.generation}`;
    this.log({ kind: "machine", machine: this.name, text: `boots ${which}`, state: "booting" });
    let boot = await this.#start(options);
    if (this.#accelerator === "kvm" && this.#options.mayFallBack && !(await showsLife(boot))) {
      const reason = `a guest wrote nothing to its console within ${FIRST_LIGHT_SECONDS} s under KVM`;
      rejectKvm(reason);
      this.log({ kind: "trouble", machine: this.name, line: `${reason}: starting it again under TCG` });
      boot.expectEnd();
      await boot.machine.cutPower();
      this.#accelerator = "tcg";
      boot = await this.#start(options);
    }
    await boot.waitForAgent(BOOT_SECONDS);
    const seconds = (performance.now() - begin) / 1000;
    const text = `answers after ${showSeconds(seconds)}`;
    this.log({ kind: "machine", machine: this.name, text, seconds, state: "running" });
  }

  #start(options: BootOptions): Promise<Boot> {
    const starting = this.#startUnlessDisposed(options);
    this.#starting = starting.catch(() => {});
    return starting;
  }

  async #startUnlessDisposed(options: BootOptions): Promise<Boot> {
    this.#refuseWhenDisposed();
    this.#disks ??= await this.#makeDisks();
    const boot = await this.#startQemu(options);
    this.#past.push(...(this.#boot?.troubles ?? []));
    this.#boot = boot;
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
    if (!this.#disposed) return;
    throw new CodedError("machine.disposed", `Cannot start the machine "${this.name}": its test is over`);
  }

  #startQemu({ generation }: BootOptions): Promise<Boot> {
    const { manifest, realPath } = this.#options;
    const { base } = manifest.generations;
    const chosen = generation === undefined ? "" : ` floe.generation=${generation}`;
    return Boot.start({
      name: this.name,
      architecture: manifest.architecture,
      accelerator: this.#accelerator,
      memoryMiB: manifest.memoryMiB,
      cpus: manifest.cpus,
      kernel: {
        image: realPath(base.kernel),
        initrd: realPath(base.initrd),
        commandLine: `${base.kernelParameters} ${DRIVER_PARAMETERS[manifest.architecture]}${chosen}`.trim(),
      },
      disks: this.#disks ?? [],
      ...(this.hasScreen ? { screen: true } : {}),
      nics: this.#options.nics,
      socketFolder: this.#sockets.path,
      folder: this.folder,
      number: ++this.#boots,
      onLine: (from, line) => this.#options.record("lines.ndjson", { from, line }),
    });
  }

  /** End what runs, also what is just being started, and remove the sockets. Nothing starts afterwards. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    await this.#starting;
    for (const end of [...this.#ends]) await end();
    if (this.#boot !== undefined) {
      this.#boot.expectEnd();
      this.#boot.agent.close();
      if (this.running) await this.#boot.machine.cutPower();
    }
    this.#sockets.remove();
  }

  async #makeDisks(): Promise<readonly Disk[]> {
    const { manifest, realPath, folder } = this.#options;
    const file = join(folder, "root.qcow2");
    createOverlay({ backing: realPath(manifest.rootImage), file });
    return [
      { file, format: "qcow2" },
      { file: realPath(manifest.storeImage), format: "raw", readOnly: true },
      ...(manifest.recordedImage === undefined ? [] : [await this.#makeRecordedDisk(realPath(manifest.recordedImage))]),
      ...(await Promise.all(
        Object.entries(manifest.disks ?? {}).map(([name, mebibytes]) => this.#makeDisk(name, mebibytes)),
      )),
    ];
  }

  /** An empty disk, which takes no room before it is written to. */
  async #makeDisk(name: string, mebibytes: number): Promise<Disk> {
    const file = join(this.folder, `disk-${name}.img`);
    await writeFile(file, "");
    await truncate(file, mebibytes * 2 ** 20);
    return { file, format: "raw", removable: true };
  }

  /** A copy: the recorder works below no other format. */
  async #makeRecordedDisk(image: string): Promise<Disk> {
    const file = join(this.folder, RECORDED_DISK);
    const log = join(this.folder, RECORD);
    await copyFile(image, file, constants.COPYFILE_FICLONE);
    await chmod(file, 0o600);
    await writeFile(log, "");
    return { file, format: "raw", log };
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

/** Whether anything reached the console in time. */
async function showsLife(boot: Boot): Promise<boolean> {
  for (let waited = 0; waited < FIRST_LIGHT_SECONDS * 1000; waited += 100) {
    if (boot.console.lines().length > 0 || !boot.running) return true;
    await sleep(100);
  }
  return false;
}

/** What may stand in a hole of a command: a word, a number, or a list of words. Each is quoted. */
export type Hole = string | number | { toString(): string } | readonly (string | number)[];

/** How a command ended. */
export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  /** Exit status; 128 and the signal's number after a signal. */
  readonly status: number;
  /** Name of the signal that ended it, such as `SIGKILL`. */
  readonly signal?: string;
  /** What the kernel complained of while it ran, when it failed. */
  readonly complaint?: string;
  /** By the guest's clock. */
  readonly durationMs: number;
}

/** A command that is running in the guest. */
export interface RunningCommand {
  /** Settles when it ends; rejects when its machine ends first. */
  readonly result: Promise<CommandResult>;
  /** End it, with all it started. */
  kill(): void;
}

/** How a program in the guest answered a request over HTTP. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface HttpOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: `GET`. */
  readonly method?: string;
  readonly body?: string;
}

export interface PathOptions {
  /** What has to lie there; links are followed except where one is asked for. Default: anything. */
  readonly type?: "file" | "directory" | "symlink" | "socket" | "fifo" | "device";
  /** Wait until it is gone. */
  readonly gone?: boolean;
}

/** A port of the host's loopback that leads into the guest. */
export interface ForwardedPort {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

/** A connection into the guest: what comes from there, and what goes there. */
export interface Connection extends AsyncIterable<Uint8Array> {
  write(data: string | Uint8Array): unknown;
  /** Say that nothing more will be written. */
  end(): unknown;
  destroy(): unknown;
}

/** Memory of the guest that something holds. */
export interface MemoryHold {
  /** Give it back. */
  release(): Promise<void>;
}

/** Which boot of a machine: the default generation, or one chosen at the boot prompt. */
export interface BootOptions {
  /** Number of the generation to boot. In a machine with `bootMenu: true` it is chosen there, by key. */
  readonly generation?: number;
  /** The first entry of the boot menu that has this in its line, chosen by key; for machines with `bootMenu: true`. */
  readonly entry?: RegExp | string;
}

/** How far a switch goes, as `floe system` knows it. */
export type SwitchMode = "switch" | "boot" | "test";

export interface SwitchOptions {
  /** Default: `switch`. */
  readonly mode?: SwitchMode;
  /** The variant of the generation that runs. Default: none, the generation itself. */
  readonly specialisation?: string;
  /** `failure` demands an exit status other than 0, `any` looks at nothing. Default: `success`. */
  readonly expect?: "success" | "failure" | "any";
}

export interface PowerCutOptions {
  /** How many states of the disk are looked at. */
  readonly cuts: number;
  /** Chooses the instants, and what of the unflushed writes is lost. The same seed on the same record gives the same states. */
  readonly seed: number;
}

/** What the states of a recorded disk came to. */
export interface PowerCutReport {
  readonly cuts: number;
  /** Writes and flushes that were recorded. */
  readonly writes: number;
  readonly flushes: number;
  /** In how many of the states writes that were not flushed are missing. */
  readonly withLosses: number;
  /** Things that had been told as done, all states together. */
  readonly told: number;
  /** What was not as it had been told, or not as it was registered. */
  readonly faults: readonly string[];
}

/** How well a cable does, in both directions alike; one without any figure is perfect. */
export interface LinkQuality {
  /** How long a frame is under way, in milliseconds of the host. */
  readonly delayMs?: number;
  /** A random time of up to so many milliseconds is added for each frame. */
  readonly jitterMs?: number;
  /** Share of the frames that get lost, from 0 to 1. */
  readonly loss?: number;
  /** Share of the frames that arrive twice, from 0 to 1. */
  readonly duplicate?: number;
  /** What goes through. */
  readonly bytesPerSecond?: number;
}

/** A network of a story, in which machines reach each other by name. All that they send is in `NAME.pcap` among the records. */
export interface Network {
  readonly name: string;
  /** Cut it into groups that don't reach each other; machines of no group reach all. */
  partition(...groups: readonly (readonly Machine[])[]): void;
  /** Take the cuts of {@link partition} back. */
  heal(): void;
  /** Take a machine's cable out: nothing passes, and the machine sees no difference. See `Machine.block` for what it sees. */
  unplug(machine: Machine): void;
  plug(machine: Machine): void;
  /** Make a machine's cable worse, or perfect again with `{}`. */
  setQuality(machine: Machine, quality: LinkQuality): void;
}

/** What a root disk would boot. */
export interface RootAfterPowerCut {
  /** Number of the default generation. */
  readonly generation: number;
  /** Store path of its system. */
  readonly system: string;
}

export interface ForkOptions {
  /** Give each fork a machine id of its own. What has read the id before keeps the old one. Default: all have the machine's. */
  readonly ownMachineId?: boolean;
}

/** What a machine was at one instant, memory and disks. */
export interface Checkpoint {
  /**
   * Machines of their own that go on from that instant: with the same names, processes and files, other random numbers, and the present
   * time. Each is named after the machine and numbered. What `spawn` and `execute` ran at that instant goes on in a fork, but nobody hears
   * of it there.
   */
  fork(count?: number, options?: ForkOptions): Promise<Machine[]>;
}

/** Store paths of systems by the names of their generations. */
export interface Systems {
  readonly base: string;
  readonly [generation: string]: string;
}

/** A value of systemd as data: 64-bit integers that no number holds exactly are bigint. */
export type UnitValue =
  | string
  | number
  | bigint
  | boolean
  | readonly UnitValue[]
  | { readonly [key: string]: UnitValue };

/** One unit of a guest's systemd. */
export interface Unit {
  readonly name: string;
  /** All its properties, by the names and in the types of org.freedesktop.systemd1(5): `MainPID` is a number, `After` a list. */
  properties(): Promise<Readonly<Record<string, UnitValue>>>;
  /** One of them; one that there is not fails. */
  property(name: string): Promise<UnitValue>;
  /** Run a job for it; it fails unless systemd calls the job done. */
  start(): Promise<void>;
  stop(): Promise<void>;
  restart(): Promise<void>;
  reload(): Promise<void>;
}

/** What a machine shows, and the keys it is given. Text consoles are read as text; pictures are for what is drawn. */
export interface Screen {
  /** Press keys together, by QEMU's names joined with dashes: `a`, `ret`, `ctrl-alt-delete`. Several chords come one after the other. */
  press(...chords: string[]): Promise<void>;
  /** Type a text on a US keyboard; `\n` is the return key. */
  type(text: string): Promise<void>;
  /** Text on one of Linux' consoles, line by line. Default: the first. */
  text(console?: number): Promise<string>;
  /** Wait until a text console shows it. @returns the line. */
  waitForText(pattern: RegExp | string, console?: number): Promise<string>;
  /** Keep what is shown as a PNG in the run folder. @returns where it lies on the host. */
  screenshot(name?: string): Promise<string>;
  /** Read the picture by Tesseract, which machines with `ocr: true` bring along; else by that of the host. It takes seconds of a processor. */
  readPicture(): Promise<string>;
  /** Wait until the picture, as tesseract reads it, shows it. */
  waitForPicture(pattern: RegExp | string): Promise<string>;
}

/** A disk of a machine that is running. What is done to it lasts until this boot ends, or until it is undone. */
export interface Disk {
  readonly name: string;
  /** Where the guest has it, such as `/dev/vdc`. */
  readonly path: string;
  /** Let it move no more than this, for reads and writes together; nothing said is no limit. */
  slow(limit: { readonly bytesPerSecond?: number; readonly operationsPerSecond?: number }): Promise<void>;
  /** Answer every read, write, or both (the default) with an error. Not for the root disk. */
  break(what?: "reads" | "writes" | "both"): Promise<void>;
  /** Undo {@link break}. */
  heal(): Promise<void>;
  /** Pull it out while the machine runs, and wait until the guest has let go. Not for the root disk. */
  detach(): Promise<void>;
  /** Put it back in. */
  attach(): Promise<void>;
  /** Fill the file system at this place until so many KiB are left (default: none). @returns what takes the filling away again. */
  fill(mountPoint: string, leaveKiB?: number): Promise<() => Promise<void>>;
}

/**
 * One virtual machine, seen from a story.
 *
 * Commands are tagged templates: their text is bash under `set -euo pipefail`, their holes are quoted. Every wait ends: its
 * deadline counts seconds of the guest (time in which the host gave it no processor does not count), 60 unless
 * {@link within} says otherwise.
 */
export interface Machine {
  readonly name: string;
  /** Store path of each declared generation's system, by name; the first is `base`. */
  readonly systems: Systems;

  /** Boot. Returns when the agent in the guest answers (within 120 seconds of the guest), which is early: wait for what the story needs. */
  start(options?: BootOptions): Promise<void>;
  /**
   * Take the cables out of its network cards, or out of the one in that network: the machine sees that they are gone. That lasts through
   * reboots, until {@link unblock}.
   */
  block(network?: Network): Promise<void>;
  /** Put the cables back in. */
  unblock(network?: Network): Promise<void>;

  /** Ask the system to power off, and wait until it has. */
  shutdown(): Promise<void>;
  /** Ask the system to reboot, and wait until the agent answers again. */
  reboot(options?: BootOptions): Promise<void>;
  /** Cut the power. Disks keep what the guest had flushed. */
  crash(): Promise<void>;
  /** Reboot into the generation with that number, which does not become the default. */
  bootGeneration(number: number): Promise<void>;
  /** Ask the system to sleep, and wait until the machine does. Nothing in it runs until {@link wake}. Of PCs those with `firmware: "uefi"` can. */
  suspend(): Promise<void>;
  /** Wake the machine, and wait until its agent answers. */
  wake(): Promise<void>;
  /** Stop the machine's processors, as a host does that has no time for it; {@link resume} lets them go on. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /**
   * Cut the power of the recorded disk at random instants of what has happened to it, and look at the store each of them would have
   * left: its file system is recovered, every object is verified, and all that `floe-store-work` had told by then has to be there. The
   * machine must be off.
   */
  storeAfterPowerCuts(options: PowerCutOptions): Promise<PowerCutReport>;

  /**
   * Recover the root disk in a copy, and say which generation it would boot. The machine must be off, and its file system has to be whole
   * once its journal was replayed.
   */
  rootAfterPowerCut(): Promise<RootAfterPowerCut>;
  /** Keep what the running machine is at this instant, for forks of it; it goes on afterwards. */
  checkpoint(): Promise<Checkpoint>;
  /** Futures of the running machine: {@link checkpoint}, and forks of it. Default: one. */
  fork(count?: number, options?: ForkOptions): Promise<Machine[]>;

  /** Run a command that has to succeed. @returns its standard output. */
  succeed(parts: TemplateStringsArray, ...holes: Hole[]): Promise<string>;
  /** Run a command that has to fail by itself: a signal, or a program that is not there (126, 127), is no such failure. */
  fail(parts: TemplateStringsArray, ...holes: Hole[]): Promise<CommandResult>;
  /** Run a command, whatever it ends with. */
  execute(parts: TemplateStringsArray, ...holes: Hole[]): Promise<CommandResult>;
  /** Start a command and go on. The story has to look at how it ends, or to end it. */
  spawn(parts: TemplateStringsArray, ...holes: Hole[]): RunningCommand;

  /** Wait until a unit is active; fails at once when it has failed, does not exist, or is inactive with no job to start it. */
  waitForUnit(unit: string): Promise<void>;
  /**
   * Wait until something accepts TCP connections. `address` is seen from the guest, by default 127.0.0.1; a port of the guest's own loopback is
   * looked up among its sockets, any other is connected to.
   */
  waitForPort(port: number, address?: string): Promise<void>;
  /** Wait until nothing accepts TCP connections any more. */
  waitForClosedPort(port: number, address?: string): Promise<void>;
  /** Wait until there is anything at that absolute path. */
  waitForFile(path: string): Promise<void>;
  /** Wait until there is something of one kind at that absolute path, or nothing any more. */
  waitForPath(path: string, options?: PathOptions): Promise<void>;
  /** Wait until somebody listens on a socket of the file system. */
  waitForSocket(path: string): Promise<void>;
  /** Wait until a process has that text in its command line (arguments apart by one space), or until none has any more. */
  waitForProcess(text: string, options?: { readonly gone?: boolean }): Promise<void>;
  /** Repeat a request from within the guest until its answer is a success (200 to 299), or has the status that is asked for. */
  waitForUrl(url: string, options?: HttpOptions & { readonly status?: number }): Promise<HttpAnswer>;
  /** Repeat a command until it succeeds. @returns its standard output. */
  waitUntilSucceeds(parts: TemplateStringsArray, ...holes: Hole[]): Promise<string>;
  waitUntilFails(parts: TemplateStringsArray, ...holes: Hole[]): Promise<CommandResult>;
  /** Wait for a line on the serial console, counted from this boot's start. */
  waitForConsoleText(pattern: RegExp | string): Promise<string>;
  /** Wait for a line of the journal of this boot. */
  waitForJournal(pattern: RegExp | string): Promise<string>;
  /** The same machine with another deadline, in seconds of the guest, for every wait and command. */
  within(seconds: number): Machine;
  /** The same machine, where commands run as this user: name or number. */
  as(user: string): Machine;

  /** `systemctl` with these arguments, whatever it ends with. */
  systemctl(...args: string[]): Promise<CommandResult>;
  /** One unit: what systemd knows of it, and jobs for it. */
  unit(name: string): Unit;
  /** Names of the units that have failed. */
  failedUnits(): Promise<string[]>;
  /** Switch to a declared generation with `floe system`. */
  switchTo(generation: string, options?: SwitchOptions): Promise<CommandResult>;
  /** Go back to the generation before the default one, at run time. */
  rollback(): Promise<CommandResult>;
  /** Number of the default generation, from the system profile. */
  defaultGeneration(): Promise<number>;
  /** Identity of this boot of the kernel. */
  bootId(): Promise<string>;

  /** Copy a file or a folder of the host into the guest. A relative host path starts at the story's folder. Links stay links. */
  copyTo(hostPath: string, guestPath: string): Promise<void>;
  /** Copy a file or a folder of the guest into the run folder. @returns where it lies on the host. */
  copyFrom(guestPath: string, name?: string): Promise<string>;
  writeFile(guestPath: string, text: string, mode?: number): Promise<void>;
  readFile(guestPath: string): Promise<string>;
  /** Journal of this boot so far, as the guest sent it. */
  journal(): string;
  /** Serial console of this boot so far. */
  consoleText(): string;
  /** Lines of the serial console of this boot, from its first on, for as long as it runs. */
  consoleLines(): AsyncIterable<string>;
  /** Lines of the journal of this boot, from the first on, for as long as it runs. */
  journalLines(): AsyncIterable<string>;
  /** Type into the serial console. */
  sendConsole(text: string): void;

  /** Screen and keyboard; for machines with `screen: true`. */
  readonly screen: Screen;
  /** A disk of the machine: `root`, or one that its specification names. */
  disk(name: string): Disk;

  /** Ask a server, as a program in the guest would: no network of the host is used. */
  fetch(url: string, options?: HttpOptions): Promise<HttpAnswer>;
  /** A connection to a port as the guest sees it, or to a socket of its file system. */
  connect(to: number | string): Promise<Connection>;
  /**
   * Let programs of the host connect to a port as the guest sees it, until it is closed or the test ends. The host's port is one that is free,
   * unless `hostPort` names it.
   */
  forwardPort(guestPort: number, address?: string, hostPort?: number): Promise<ForwardedPort>;

  /** Set the guest's clock ahead (or back, with less than 0) of what it says now. */
  skewClock(seconds: number): Promise<void>;
  /** The guest's clock. */
  clock(): Promise<Date>;
  /** Have a process of the guest hold that much of its memory. */
  useMemory(mebibytes: number): Promise<MemoryHold>;
}

/** Questions a story asks of values; a false one ends the story with what was found and what was expected. */
export interface Assert {
  ok(value: unknown, message?: string): void;
  equal<T>(found: T, expected: NoInfer<T>, message?: string): void;
  notEqual<T>(found: T, unexpected: NoInfer<T>, message?: string): void;
  deepEqual<T>(found: T, expected: NoInfer<T>, message?: string): void;
  match(found: string, pattern: RegExp, message?: string): void;
  doesNotMatch(found: string, pattern: RegExp, message?: string): void;
}

/** What a story's script receives: its machines by name, and these. */
export interface StoryTools {
  /** Name a part of the story; the report shows which one failed and how long each took. */
  step<T>(name: string, body: () => Promise<T> | T): Promise<T>;
  readonly assert: Assert;
  /** Put a line into the report. */
  note(text: string): void;
  /** Stop here while somebody looks on (`floe vm-test shell`), until they go on; otherwise this does nothing. */
  breakpoint(name?: string): Promise<void>;
}

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

/** Which boot of a machine: the default generation, or one chosen at the boot prompt. */
export interface BootOptions {
  /** Number of the generation to boot. */
  readonly generation?: number;
}

/** How far a switch goes, as `floe system` knows it. */
export type SwitchMode = "switch" | "boot" | "test";

export interface SwitchOptions {
  /** Default: `switch`. */
  readonly mode?: SwitchMode;
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

/** Store paths of systems by the names of their generations. */
export interface Systems {
  readonly base: string;
  readonly [generation: string]: string;
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

  /** Boot. Returns when the agent in the guest answers, which is early: wait for what the story needs. */
  start(options?: BootOptions): Promise<void>;
  /** Ask the system to power off, and wait until it has. */
  shutdown(): Promise<void>;
  /** Ask the system to reboot, and wait until the agent answers again. */
  reboot(options?: BootOptions): Promise<void>;
  /** Cut the power. Disks keep what the guest had flushed. */
  crash(): Promise<void>;
  /**
   * Cut the power of the recorded disk at random instants of what has happened to it, and look at the store each of them would have
   * left: its file system is recovered, every object is verified, and all that `floe-store-work` had told by then has to be there. The
   * machine must be off.
   */
  storeAfterPowerCuts(options: PowerCutOptions): Promise<PowerCutReport>;

  /** Run a command that has to succeed. @returns its standard output. */
  succeed(parts: TemplateStringsArray, ...holes: Hole[]): Promise<string>;
  /** Run a command that has to fail by itself: a signal, or a program that is not there (126, 127), is no such failure. */
  fail(parts: TemplateStringsArray, ...holes: Hole[]): Promise<CommandResult>;
  /** Run a command, whatever it ends with. */
  execute(parts: TemplateStringsArray, ...holes: Hole[]): Promise<CommandResult>;
  /** Start a command and go on. */
  spawn(parts: TemplateStringsArray, ...holes: Hole[]): RunningCommand;

  /** Wait until a unit is active; fails at once when it has failed, does not exist, or is inactive with no job to start it. */
  waitForUnit(unit: string): Promise<void>;
  /** Wait until something accepts TCP connections. `address` is seen from the guest, by default 127.0.0.1. */
  waitForPort(port: number, address?: string): Promise<void>;
  /** Wait until nothing accepts TCP connections any more. */
  waitForClosedPort(port: number, address?: string): Promise<void>;
  waitForFile(path: string): Promise<void>;
  /** Repeat a command until it succeeds. @returns its standard output. */
  waitUntilSucceeds(parts: TemplateStringsArray, ...holes: Hole[]): Promise<string>;
  waitUntilFails(parts: TemplateStringsArray, ...holes: Hole[]): Promise<CommandResult>;
  /** Wait for a line on the serial console, counted from this boot's start. */
  waitForConsoleText(pattern: RegExp | string): Promise<string>;
  /** Wait for a line of the journal of this boot. */
  waitForJournal(pattern: RegExp | string): Promise<string>;
  /** The same machine with another deadline for every wait and command. */
  within(seconds: number): Machine;

  /** `systemctl` with these arguments, whatever it ends with. */
  systemctl(...args: string[]): Promise<CommandResult>;
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

  /** Copy one file of the host into the guest. A relative host path starts at the story's folder. */
  copyTo(hostPath: string, guestPath: string): Promise<void>;
  /** Copy one file of the guest into the run folder. @returns where it lies on the host. */
  copyFrom(guestPath: string, name?: string): Promise<string>;
  writeFile(guestPath: string, text: string, mode?: number): Promise<void>;
  readFile(guestPath: string): Promise<string>;
  /** Journal of this boot so far, as the guest sent it. */
  journal(): string;
  /** Serial console of this boot so far. */
  consoleText(): string;
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
}

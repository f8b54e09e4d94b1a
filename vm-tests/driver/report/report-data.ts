/** Everything the page of a report shows, as the JSON inside it. Times are seconds since the run's begin. */
export interface ReportData {
  readonly title: string;
  readonly runs: readonly ShownRun[];
}

/** A run with how it ended, in words. */
export interface ShownRun extends ReportRun {
  readonly words: string;
}

export interface ReportRun {
  readonly name: string;
  /** Of its machines, such as `aarch64-linux`. */
  readonly platform?: string;
  /** Which try of its test it was, counted from 1. */
  readonly attempt: number;
  /** Another try followed, which counts in its place. */
  readonly retried?: boolean;
  /** `lost`: it did not come to its end. `flaky`: it passed when the test was tried again. */
  readonly outcome: "passed" | "failed" | "lost" | "flaky";
  /** What failed was the host, and not what is tested. */
  readonly ofHost?: boolean;
  /** A try before this one, which counts, was ended by a fault of the host. */
  readonly afterHostFault?: boolean;
  readonly seconds: number;
  readonly accelerator: string;
  readonly folder: string;
  readonly error?: string;
  /** Where in the story it failed. */
  readonly at?: { readonly file: string; readonly line: number; readonly column: number };
  readonly steps: readonly ReportStep[];
  readonly notes: readonly { readonly at: number; readonly text: string }[];
  readonly machines: readonly ReportMachine[];
  readonly comparison?: ReportComparison;
}

export interface ReportStep {
  readonly name: string;
  readonly depth: number;
  readonly begin: number;
  readonly end: number;
  readonly outcome: "passed" | "failed" | "lost";
}

export type MachineState = "booting" | "running" | "off";

export interface ReportMachine {
  readonly name: string;
  readonly states: readonly { readonly state: MachineState; readonly begin: number; readonly end: number }[];
  /** What happened to it, such as a power cut. */
  readonly marks: readonly { readonly at: number; readonly text: string; readonly trouble: boolean }[];
  readonly commands: readonly ReportCommand[];
  readonly units: readonly ReportUnit[];
  readonly lines: readonly { readonly at: number; readonly from: "console" | "journal"; readonly line: string }[];
  /** Lines that are not here, because there were too many. */
  readonly omittedLines: number;
  readonly usage: readonly ReportUsage[];
  readonly pictures: readonly { readonly name: string; readonly at?: number; readonly source: string }[];
}

export interface ReportCommand {
  readonly begin: number;
  readonly end: number;
  readonly command: string;
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A job of a unit: from the moment the system said it began to its end. */
export interface ReportUnit {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
  readonly outcome: "started" | "stopped" | "failed" | "open";
}

/** What a machine used between two looks at it. */
export interface ReportUsage {
  readonly begin: number;
  readonly end: number;
  /** Processors kept busy. */
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly readMiBPerSecond: number;
  readonly writtenMiBPerSecond: number;
}

/** What was different from the last run that passed. */
export interface ReportComparison {
  /** Folder of that run. */
  readonly folder: string;
  readonly differences: readonly ReportDifference[];
}

export interface ReportDifference {
  readonly what: string;
  readonly before: string;
  readonly now: string;
}

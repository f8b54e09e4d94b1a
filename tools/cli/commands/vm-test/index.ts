import { buildCommand, buildRouteMap } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { type BuildFlags, buildAliases, buildFlags, type JsonFlags, jsonFlags, parseCount } from "../../flags.ts";
import { templateRoutes } from "./template-commands.ts";

export interface ListFlags extends JsonFlags {
  readonly flake: string;
}

/** What the guests' machines are. */
export type PlatformFlag = "x86_64-linux" | "aarch64-linux";

/** Which accelerator the guests get. */
export type AcceleratorFlag = "auto" | "kvm" | "tcg";

export interface RunFlags extends Omit<BuildFlags, "timeout" | "maxSilentTime"> {
  readonly flake: string;
  readonly keep: boolean;
  readonly output?: string;
  readonly timeout: number;
  readonly accel: AcceleratorFlag;
  readonly cold: boolean;
  readonly platform?: PlatformFlag;
  readonly rerun: boolean;
  readonly direct: boolean;
  readonly junit?: string;
}

const flakeFlag = {
  flake: {
    kind: "parsed",
    parse: String,
    default: ".",
    placeholder: "FLAKE",
    brief: "The flake whose vmTests are meant",
  },
} as const;

// A build's own limits are about builders; here one limit covers the whole run of the machines.
const { timeout: _timeout, maxSilentTime: _maxSilentTime, ...commonFlags } = buildFlags;

export interface DoctorFlags extends JsonFlags {
  readonly reprobe: boolean;
}

export interface ReportFlags extends JsonFlags {
  readonly output?: string;
  readonly junit?: string;
}

const junit = {
  kind: "parsed",
  parse: String,
  optional: true,
  placeholder: "FILE",
  brief: "Write the results as JUnit XML, too",
} as const;

const list = buildCommand<ListFlags, [], CliContext>({
  loader: async () => (await import("./list.ts")).default,
  parameters: { flags: { ...flakeFlag, ...jsonFlags } },
  docs: { brief: "List the machine tests of a flake" },
});

const runParameters = {
  flags: {
    ...commonFlags,
    ...flakeFlag,
    keep: {
      kind: "boolean",
      default: false,
      withNegated: false,
      brief: "Keep the machines' disks beside the records",
    },
    output: {
      kind: "parsed",
      parse: String,
      optional: true,
      placeholder: "DIR",
      brief: "Folder for the records (default: $XDG_STATE_HOME/floe/vm-tests/NAME/TIME)",
    },
    timeout: {
      kind: "parsed",
      parse: parseCount,
      default: "3600",
      placeholder: "SECONDS",
      brief: "Give a test up after this time",
    },
    junit,
    platform: {
      kind: "enum",
      values: ["x86_64-linux", "aarch64-linux"],
      optional: true,
      brief: "Run on machines of this platform (default: the first one the test declares)",
    },
    rerun: {
      kind: "boolean",
      default: false,
      withNegated: false,
      brief: "Run also what has passed and not changed since",
    },
    direct: {
      kind: "boolean",
      default: false,
      withNegated: false,
      brief:
        "Run outside of the sandbox, with the machine's own QEMU; the result is not kept (implied by --keep and --accel)",
    },
    cold: {
      kind: "boolean",
      default: false,
      withNegated: false,
      brief: "Boot every machine, in place of copying one that was booted before",
    },
    accel: {
      kind: "enum",
      values: ["auto", "kvm", "tcg"],
      default: "auto",
      brief: "How guests run; auto takes KVM where a probe guest really ran under it",
    },
  },
  aliases: buildAliases,
  positional: {
    kind: "array",
    minimum: 1,
    parameter: { brief: "A machine test", placeholder: "NAME", parse: String },
  },
} as const;

const run = buildCommand<RunFlags, string[], CliContext>({
  loader: async () => (await import("./run.ts")).default,
  parameters: runParameters,
  docs: {
    brief: "Build the machines of tests, boot them, and tell their stories",
    fullDescription:
      "Evaluate vmTests.NAME, build its machines' images, and run its story against real virtual machines, as a build: in the " +
      "sandbox, several at once (--max-jobs), and only when its systems or the files of its story have changed since it passed. " +
      "The records (console, journal, events, report) stay in a folder that is named at the end.\n\n" +
      "Exit codes: 0 all passed, 1 a test failed; those of `floe build` when an image could not be built.",
  },
});

const warm = buildCommand<RunFlags, string[], CliContext>({
  loader: async () => (await import("./warm.ts")).default,
  parameters: runParameters,
  docs: { brief: "Build and boot the machines of tests, and keep them for copies" },
});

const doctor = buildCommand<DoctorFlags, [], CliContext>({
  loader: async () => (await import("./doctor.ts")).default,
  parameters: {
    flags: {
      reprobe: {
        kind: "boolean",
        default: false,
        withNegated: false,
        brief: "Find it out again, whatever is known from before",
      },
      ...jsonFlags,
    },
  },
  docs: { brief: "Show how machines run on this host, and why so" },
});

const report = buildCommand<ReportFlags, string[], CliContext>({
  loader: async () => (await import("./report.ts")).default,
  parameters: {
    flags: {
      output: {
        kind: "parsed",
        parse: String,
        optional: true,
        placeholder: "FILE",
        brief: "The page to write (default: report.html in the first folder)",
      },
      junit,
      ...jsonFlags,
    },
    positional: {
      kind: "array",
      minimum: 1,
      parameter: { brief: "Folder with the records of a run, or of several", placeholder: "DIR", parse: String },
    },
  },
  docs: {
    brief: "Make one report of the records of runs, also of runs that were killed or took place on several machines",
  },
});

export const vmTestCommands = buildRouteMap<string, CliContext>({
  routes: {
    list,
    run,
    report,
    doctor,
    template: buildRouteMap<string, CliContext>({
      routes: { ...templateRoutes, warm },
      docs: { brief: "Look after machines that were booted once and are copied for each test" },
    }),
  },
  docs: { brief: "Run stories against virtual machines" },
});

import { buildCommand, buildRouteMap } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import {
  type BuildFlags,
  buildAliases,
  buildFlags,
  type JsonFlags,
  jsonFlags,
  type LockFlags,
  lockFlags,
  parseCount,
} from "../../flags.ts";
import { templateRoutes } from "./template-commands.ts";

/** Which tests are meant. */
export interface SelectFlags extends Pick<LockFlags, "locked" | "offline"> {
  readonly flake: string;
  readonly tag?: readonly string[];
  readonly platform?: PlatformFlag;
  readonly changedSince?: string;
}

export interface ListFlags extends SelectFlags, JsonFlags {}

/** What the guests' machines are. */
export type PlatformFlag = "x86_64-linux" | "aarch64-linux";

/** Which accelerator the guests get. */
export type AcceleratorFlag = "auto" | "kvm" | "tcg";

/** Who tells what happens, and to whom. */
export type ReporterFlag = "terminal" | "json" | "github";

export interface RunFlags extends Omit<BuildFlags, "timeout" | "maxSilentTime" | "maxJobs">, SelectFlags, JsonFlags {
  readonly jobs?: number;
  readonly shard?: string;
  readonly durations?: string;
  readonly retry: number;
  readonly watch: boolean;
  readonly trace: boolean;
  readonly reporter?: readonly ReporterFlag[];
  readonly keep: boolean;
  readonly output?: string;
  readonly timeout: number;
  readonly accel: AcceleratorFlag;
  readonly cold: boolean;
  readonly fork: boolean;
  readonly rerun: boolean;
  readonly direct: boolean;
  readonly junit?: string;
}

export interface ShellFlags
  extends Omit<
      RunFlags,
      | "timeout"
      | "retry"
      | "watch"
      | "json"
      | "rerun"
      | "direct"
      | "shard"
      | "durations"
      | "reporter"
      | "junit"
      | keyof SelectFlags
    >,
    Pick<SelectFlags, "flake" | "platform" | "locked" | "offline"> {
  readonly breakAt?: readonly string[];
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
const { timeout: _timeout, maxSilentTime: _maxSilentTime, maxJobs: _maxJobs, ...commonFlags } = buildFlags;

/** Which tests are meant. */
const selectFlags = {
  ...flakeFlag,
  tag: {
    kind: "parsed",
    parse: String,
    optional: true,
    variadic: true,
    placeholder: "TAG",
    brief: "Only tests with this tag, or one of several",
  },
  platform: {
    kind: "enum",
    values: ["x86_64-linux", "aarch64-linux"],
    optional: true,
    brief: "Only tests for machines of this platform, and on it (default: the first one a test declares)",
  },
  changedSince: {
    kind: "parsed",
    parse: String,
    optional: true,
    placeholder: "REV",
    brief: "Only tests whose systems or story's files are others than at a revision of git",
  },
} as const;

const tests = {
  kind: "array",
  parameter: { brief: "A machine test; * and ? stand for any characters", placeholder: "NAME", parse: String },
} as const;

export interface DoctorFlags extends JsonFlags {
  readonly reprobe: boolean;
}

export interface ReportFlags extends JsonFlags {
  readonly output?: string;
  readonly junit?: string;
  readonly durations?: string;
}

const junit = {
  kind: "parsed",
  parse: String,
  optional: true,
  placeholder: "FILE",
  brief: "Write the results as JUnit XML, too",
} as const;

const list = buildCommand<ListFlags, string[], CliContext>({
  loader: async () => (await import("./list.ts")).default,
  parameters: {
    flags: { ...selectFlags, locked: lockFlags.locked, offline: lockFlags.offline, ...jsonFlags },
    positional: tests,
  },
  docs: {
    brief: "List the machine tests of a flake",
    fullDescription:
      "All of them, or those that fit a NAME (in which * and ? stand for any characters) and everything else that is asked.",
  },
});

const runParameters = {
  flags: {
    ...commonFlags,
    ...selectFlags,
    ...jsonFlags,
    jobs: {
      kind: "parsed",
      parse: parseCount,
      optional: true,
      placeholder: "N",
      brief:
        "Tests, and builds of their images, at once: as many as there are processors when left out, as far as memory goes",
    },
    shard: {
      kind: "parsed",
      parse: String,
      optional: true,
      placeholder: "I/N",
      brief: "Only the I-th of N parts of the tests, which take about as long as each other",
    },
    durations: {
      kind: "parsed",
      parse: String,
      optional: true,
      placeholder: "FILE",
      brief: "What tests took, for --shard (default: vm-test-durations.json of the flake)",
    },
    retry: {
      kind: "parsed",
      parse: parseCount,
      default: "0",
      placeholder: "N",
      brief: "Try a test that failed up to N times more; one that passes then is told as flaky",
    },
    watch: {
      kind: "boolean",
      default: false,
      withNegated: false,
      brief: "Go on, and run tests again when what they are made of changes",
    },
    trace: {
      kind: "boolean",
      default: false,
      withNegated: false,
      brief: "Record also what the driver says to QEMU and to the guests, in trace.ndjson of each machine",
    },
    reporter: {
      kind: "enum",
      values: ["terminal", "json", "github"],
      optional: true,
      variadic: true,
      brief: "Tell what happens to people, as lines of JSON, or as annotations of GitHub (default: terminal)",
    },
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
    fork: {
      kind: "boolean",
      default: true,
      brief: "Outside of the sandbox: fork further copies of a machine from one that has answered",
    },
    accel: {
      kind: "enum",
      values: ["auto", "kvm", "tcg"],
      default: "auto",
      brief: "How guests run; auto takes KVM where a probe guest really ran under it",
    },
  },
  aliases: { ...buildAliases, j: "jobs" },
  positional: tests,
} as const;

const run = buildCommand<RunFlags, string[], CliContext>({
  loader: async () => (await import("./run.ts")).default,
  parameters: runParameters,
  docs: {
    brief: "Build the machines of tests, boot them, and tell their stories",
    fullDescription:
      "Evaluate vmTests.NAME, build its machines' images, and run its story against real virtual machines, as a build: in the " +
      "sandbox, several at once (--jobs), and only when its systems or the files of its story have changed since it passed. " +
      "Without a NAME all tests are meant. The records (console, journal, events, report) stay in a folder that is named at the end.\n\n" +
      "Exit codes: 0 all passed, 1 a test failed, 3 none failed but some passed only when they were tried again (--retry), 4 none " +
      "failed by itself but this host ended one twice (QEMU died, no memory: such a test is run again once, unasked); those of " +
      "`floe build` when an image could not be built.",
  },
});

const { flake, platform, jobs, keep, output, accel, cold, fork, trace } = runParameters.flags;

const shell = buildCommand<ShellFlags, [string], CliContext>({
  loader: async () => (await import("./shell.ts")).default,
  parameters: {
    flags: {
      ...commonFlags,
      ...{ flake, platform, jobs, keep, output, accel, cold, fork, trace },
      breakAt: {
        kind: "parsed",
        parse: String,
        optional: true,
        variadic: true,
        placeholder: "STEP",
        brief: "Begin the story, and stop before the step of this name; * and ? stand for any characters",
      },
    },
    aliases: runParameters.aliases,
    positional: { kind: "tuple", parameters: [{ brief: "A machine test", placeholder: "NAME", parse: String }] },
  },
  docs: {
    brief: "Sit down at the machines of a test, and go through its story",
    fullDescription:
      "Build the images of a test's machines, and give a prompt for JavaScript with all in scope that its story is given: " +
      "`await server.start()`, for instance. Commands of the prompt begin with a dot: .story, .next and .continue go through the story, which stops " +
      "before steps that --break-at or .stops names and where it says `await breakpoint()`; .terminal, .console and .forward lead into a machine; " +
      ".help lists all. A story that fails leaves its machines as they are until .exit.\n\n" +
      "Exit codes: 0, or 1 when the story was told and failed.",
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
      durations: {
        kind: "parsed",
        parse: String,
        optional: true,
        placeholder: "FILE",
        brief: "Write down what tests took, for `run --shard`; what the file knows of other tests stays",
      },
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
    shell,
    report,
    doctor,
    template: buildRouteMap<string, CliContext>({
      routes: { ...templateRoutes, warm },
      docs: { brief: "Look after machines that were booted once and are copied for each test" },
    }),
  },
  docs: { brief: "Run stories against virtual machines" },
});

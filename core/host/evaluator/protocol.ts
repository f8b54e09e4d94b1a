/** What crosses the border between the floe process and the evaluation, all of it JSON. */
import type { DebugQuestion } from "./debug-protocol.ts";
import type { DeclaredInputs, FlakeSettings, InspectedOutput, LockFile, SourceInfo } from "../../flake/index.ts";

/** A source tree the evaluation may read. */
export interface Mount {
  /** Where its files seem to be: for inputs, their store path; for the flake and the engine, see places.ts. */
  readonly path: string;
  /** Where they are on the host. */
  readonly hostPath: string;
  /** For people. */
  readonly name: string;
  /** Files that count, relative to it; absent: all. */
  readonly files?: readonly string[];
  /** Beginnings of paths that count; absent: all. */
  readonly folders?: readonly string[];
}

/** An input as the evaluation gets it. */
export interface InputNode {
  readonly storePath: string;
  /** Folder of the flake in its source, empty for the top. */
  readonly dir: string;
  /** Path of its `flake.config.ts`; absent when it has no outputs. */
  readonly configFile?: string;
  readonly sourceInfo: SourceInfo;
  readonly inputs: Readonly<Record<string, string>>;
}

/**
 * What is asked for: a value; the names of its members; the inputs; or, of the outputs as a whole, the paths of all members
 * (`outline`), what is told of some (`show`), or whether some can be made to their end (`check`).
 */
export type Want = "value" | "names" | "inputs" | "outline" | "show" | "check" | "options" | "packages" | "print";

/** Code of the command line. It is a function of the value that was found, or an expression over the outputs. */
export interface Expression {
  readonly kind: "apply" | "outputs";
  readonly text: string;
  /** Declarations before it. Default none. */
  readonly declarations?: readonly string[];
}

/** What the agent inside gets. */
export interface AgentQuestion {
  readonly want: Want;
  /** Places to look for the attribute, in order; for `show` and `check` the members that are meant. */
  readonly candidates: readonly (readonly string[])[];
  /** The text the user wrote, for errors. */
  readonly attribute: string;
  /** The lock beside the flake; when it does not fit the declared inputs, the answer is those inputs and nothing more. */
  readonly lock: LockFile;
  /** Inputs that the command puts something else in the place of. */
  readonly replaced: readonly string[];
  /** What becomes of the value, or takes its place. */
  readonly expression?: Expression["kind"];
  /** Folder of the flake itself. */
  readonly flakeFolder: string;
  readonly inputs: Readonly<Record<string, string>>;
  readonly nodes: Readonly<Record<string, InputNode>>;
}

/** What the process gets on its standard input. */
export interface EvaluatorQuestion {
  /** The folder of the engine on the host; `core` lies in it. */
  readonly engine: string;
  /** Inside, as a place of the flake's mount. */
  readonly configFile: string;
  readonly mounts: readonly Mount[];
  /** Which folders these are, see `mount-roots.ts`. */
  readonly roots: string;
  readonly agent: AgentQuestion;
  readonly expression?: Expression;
  /** The state of the bundle that the engine comes from; absent where it comes from its sources. */
  readonly bundle?: string;
  /** Outputs that were built for this evaluation; each has a mount. */
  readonly built?: readonly string[];
  /** Say after the answer what of the engine's bundle was compiled, in base64. Default false. */
  readonly tellCode?: boolean;
  /** Look where the evaluation is after so many milliseconds, in place of an answer: an error with that place, if one is found. */
  readonly watchMs?: number;
  /** Say after the answer where the time went: a line with a profile of V8. Default false. */
  readonly profile?: boolean;
  /** Stop at errors and break points, and do what lines of the standard input say. Default not. */
  readonly debug?: DebugQuestion;
}

/** An error as text. */
export interface ErrorReport {
  readonly name: string;
  readonly code?: string;
  readonly message: string;
  readonly hint?: string;
  readonly details?: readonly string[];
  readonly at?: { readonly file: string; readonly line: number; readonly column: number };
  readonly stack: string;
  readonly cause?: ErrorReport;
}

/** A source as a plan names it; `from` is a path inside a mount. */
export type SourceReport =
  | {
      readonly kind: "text";
      readonly path: string;
      readonly name: string;
      readonly contents: string;
      readonly references: readonly string[];
    }
  | {
      readonly kind: "tree";
      readonly path: string;
      readonly name: string;
      readonly from: string;
      readonly files?: readonly string[];
    };

/** The members of the outputs by their paths, and what is allowed there and yet hardly meant. */
export interface OutlinedOutputs {
  readonly paths: readonly (readonly string[])[];
  readonly warnings: readonly { readonly path: readonly string[]; readonly message: string }[];
}

/** A member of the outputs that was looked at or made. */
export interface AskedOutput extends InspectedOutput {
  readonly path: readonly string[];
  /** Of what is built; absent when it was only looked at. */
  readonly drvPath?: string;
  readonly warnings?: readonly string[];
}

/** A member of the outputs that fails. */
export interface OutputFault {
  readonly path: readonly string[];
  readonly error: ErrorReport;
}

/** Outputs of a derivation that a value refers to, or of one that is an output; see `BuildTarget`. */
export interface ContextItem {
  readonly drvPath: string;
  readonly outputs: readonly string[];
  readonly through?: readonly string[];
}

/** What the agent inside says. */
export type AgentAnswer =
  | {
      readonly kind: "inputs";
      readonly inputs: DeclaredInputs;
      readonly description?: string;
      readonly settings?: FlakeSettings;
    }
  | {
      readonly kind: "value";
      readonly inputs: DeclaredInputs;
      readonly description?: string;
      readonly settings?: FlakeSettings;
      readonly attribute: readonly string[];
      readonly value: unknown;
      /** Members that fail, of a question about many. */
      readonly faults?: readonly OutputFault[];
      readonly context: readonly ContextItem[];
      /** Sources the value itself refers to. */
      readonly sourceContext: readonly string[];
      readonly derivations: readonly { readonly path: string; readonly text: string }[];
      readonly sources: readonly SourceReport[];
    }
  /** Outputs have to be built before there is an answer. */
  | {
      readonly kind: "builds";
      readonly needs: readonly {
        readonly path: string;
        readonly drvPath: string;
        readonly output: string;
        readonly at?: ErrorReport["at"] | undefined;
      }[];
      readonly derivations: readonly { readonly path: string; readonly text: string }[];
      readonly sources: readonly SourceReport[];
    }
  | { readonly kind: "error"; readonly error: ErrorReport; readonly inputs?: DeclaredInputs };

/**
 * A file that was read. Sizes in bytes, times in nanoseconds since 1970 (as text: they exceed a double).
 *
 * `ctimeNs` is empty where the file was changed so shortly before that a further change could leave the same time.
 */
export interface FileRead {
  readonly path: string;
  readonly size: number;
  readonly ctimeNs: string;
  readonly ino: string;
  readonly sha256: string;
}

/** A folder on the way to something that was read, or a symbolic link there, with its target. */
export interface WayRead {
  readonly path: string;
  readonly target?: string | undefined;
}

/** What was looked at of a tree. */
export interface TreeRead {
  readonly path: string;
  /** Its entries that were hashed, relative to it; `names`: it was listed. Default all that count were hashed. */
  readonly of?: readonly string[] | "names" | undefined;
  /** A digest over names and kinds of entries, and of those that were hashed over sizes, times and inodes; empty when it cannot be relied on. */
  readonly fingerprint: string;
}

/** What the process writes to its standard output, after the greeting. */
export interface EvaluatorAnswer {
  readonly answer: AgentAnswer;
  readonly files: readonly FileRead[];
  readonly trees: readonly TreeRead[];
  readonly ways: readonly WayRead[];
  /** Of an error: where the outputs are written, for one that has no place of its own. */
  readonly near?: ErrorReport["at"];
  /** Whether something could not be had, and the code went on without; it is not among what was read. */
  readonly missed?: boolean;
  /** Places of modules that were loaded while code of the flake ran, in that order; absent where they are the ones that were expected. */
  readonly later?: readonly string[];
}

/** Code of modules without their types, by their places, each with the sha256 of the text that it was made of. */
export type StrippedCode = Readonly<Record<string, { readonly sha256: string; readonly code: string }>>;

/** What to remember of modules without their types, for the next evaluation of the flake. */
export interface StrippedChanges {
  /** Code that was not known. */
  readonly add: StrippedCode;
  /** Places of known code that no file of the flake or of an input can have any more: their source is another one, or git does not list them. */
  readonly drop: readonly string[];
}

/** Begins each line that the configuration prints, on the error stream; other lines there are the runtime's own. */
export const CONSOLE_MARK = "\u0001";

/** First line of the process: it was started, so a failure from here on is not one of the sandbox. */
export const GREETING = "floe-evaluator 1";

/** Last line of both streams: all has been said, so nobody has to wait for the end of the process. */
export const END_MARK = "\u0004";

/** Parts of a checkout that are no part of the flake and may hold secrets: the sandbox covers them. */
export const HIDDEN_NAMES = [".git", "node_modules"];

/** Argument of a process that stands ready, with the seconds that it waits for its question: {@link SPARE_QUESTION}. */
export const SPARE_ARGUMENT = "--spare=";

/**
 * Line on the error stream of such a process that was asked by an empty line, which means what it was prepared for: all that it has loaded is as it
 * was, so it is likely that somebody knows the answer. It waits on.
 */
export const UNCHANGED_MARK = "\u0005";

/** Descriptors of such a process: the pipe that its question comes by, and what tells of the memory of the machine. */
export const SPARE_QUESTION = 4;
export const SPARE_MEMORY = 5;

export interface HostFailure {
  readonly failed: {
    readonly code: string;
    readonly message: string;
    readonly hint?: string;
    readonly at?: ErrorReport["at"];
  };
}
export interface TreeListing {
  readonly entries: readonly (readonly [relative: string, kind: "file" | "directory" | "symlink"])[];
}
/** A module with all files that it imports; see `ModuleTree` of core/derivation. */
export interface ModuleTreeReport {
  readonly root: string;
  readonly files: readonly string[];
  readonly narHash: string;
  readonly others: readonly { readonly name: string; readonly at: NonNullable<ErrorReport["at"]> }[];
}
export interface TreeHash {
  readonly narHash: string;
  readonly narSize: number;
  readonly files?: readonly string[];
}

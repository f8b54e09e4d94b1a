import { CodedError, type SourceLocation } from "../../../../core/base/index.ts";
import type { CliContext } from "../../context.ts";
import { showErrorLine } from "../../errors.ts";
import { parseInstallable } from "../../installable.ts";
import { rememberAnswer } from "../../remember-answer.ts";
import { plainText } from "../../text.ts";
import { openForCommand } from "../flake/open.ts";
import type { OptionFlags } from "./index.ts";

/** An option of a system or of modules; places are on this machine. */
export interface ShownOption {
  readonly path: string;
  readonly type: string;
  readonly description?: string;
  readonly default?: string;
  readonly example?: string;
  readonly related: readonly string[];
  readonly readOnly: boolean;
  readonly declaredBy: string;
  readonly declaredAt?: SourceLocation;
  readonly value?: unknown;
  /** Absent for options inside others, and for all of them where no configuration was evaluated. */
  readonly definitions?: readonly ShownDefinition[];
  readonly readers?: readonly { readonly module: string; readonly at?: SourceLocation }[];
}

export interface ShownDefinition {
  readonly value: unknown;
  readonly priority: number;
  readonly module: string;
  readonly at?: SourceLocation;
  readonly counts: boolean;
}

export interface ListedOptions {
  readonly options: readonly ShownOption[];
  /** Why the system has no values: there is then what its modules declare. */
  readonly fault?: CodedError | undefined;
  /** Whether there is no system but modules, which have no values. */
  readonly isModules: boolean;
  /** The key that a definition is written at, from the place of the call that defines. */
  readonly keyAt: (at: SourceLocation, path: string) => SourceLocation;
  /** Print what was asked for of them. */
  readonly answer: (text: string) => Promise<void>;
}

/** All options of the system or the modules that are meant: evaluated, or from the record of an evaluation. */
export async function listOptions(context: CliContext, flags: OptionFlags): Promise<ListedOptions> {
  const installable = parseInstallable(flags.flake);
  if (installable.kind !== "flake") {
    throw new CodedError(
      "option.not-a-flake",
      `Cannot list the options of "${flags.flake}": it is in the store already`,
      {
        hint: "Name a system of a flake: --flake .#NAME",
      },
    );
  }
  using opened = await openForCommand(context, { ...flags, flake: installable.flake });
  const { attribute } = installable;
  const result = await opened.flake.evaluate({ attribute, want: "options", kinds: ["systems"] });
  const { flake } = opened;
  const listed = onHostPlaces(result.value, result.onHost) as readonly ShownOption[];
  const options = listed.map((option) => withComment(option, result.commentOn));
  const fault = result.faults[0]?.error;
  return {
    options,
    fault,
    isModules: fault === undefined && options.every(({ definitions }) => definitions === undefined),
    keyAt: result.keyAt,
    async answer(text) {
      context.process.stdout.write(text);
      // What cannot be evaluated is not answered in full, and has to be told each time.
      if (fault === undefined) await rememberAnswer(context, { text, watched: [() => flake.watched(result)] });
    },
  };
}

/** With the doc comment of an option that has no other description. */
function withComment(
  option: ShownOption,
  commentOn: (at: SourceLocation, keys: readonly string[]) => string | undefined,
): ShownOption {
  const { path, description, declaredBy, declaredAt, type, ...rest } = option;
  if (description !== undefined || declaredAt === undefined) return option;
  const below = path.startsWith(`${declaredBy}.`) ? path.slice(declaredBy.length + 1) : path;
  // Free names and elements of lists are written nowhere.
  const keys = namesOf(below).filter((name) => name !== "<name>" && name !== "*");
  const comment = commentOn(declaredAt, keys);
  return comment === undefined
    ? option
    : { path, type, description: plainText(comment), ...rest, declaredBy, declaredAt };
}

/** The parts of a path. */
export function namesOf(path: string): string[] {
  return (path.match(/"[^"]*"|[^.]+/g) ?? []).map((name) => name.replace(/^"(.*)"$/, "$1"));
}

/** Tell people why options come without values. */
export function sayDeclaredOnly(context: CliContext, fault: CodedError): void {
  context.say(
    `warning: Options are as declared, since the system cannot be evaluated: ${showErrorLine(fault, context.cwd)}`,
  );
}

/** Places of an evaluation are the same on every machine; people want those on theirs. */
function onHostPlaces(value: unknown, onHost: (text: string) => string): unknown {
  const files = new Map<string, string>();
  const visit = (part: unknown): unknown => {
    if (Array.isArray(part)) return part.map(visit);
    if (typeof part !== "object" || part === null) return part;
    return Object.fromEntries(
      Object.entries(part).map(([key, item]) => {
        if (key === "value") return [key, item];
        if (key !== "at" && key !== "declaredAt") return [key, visit(item)];
        const at = item as SourceLocation;
        const file = files.get(at.file) ?? onHost(at.file);
        files.set(at.file, file);
        return [key, { ...at, file }];
      }),
    );
  };
  return visit(value);
}

import { CodedError, type SourceLocation } from "../../../../core/base/index.ts";
import type { CliContext } from "../../context.ts";
import { parseInstallable } from "../../installable.ts";
import { rememberAnswer } from "../../remember-answer.ts";
import { openForCommand } from "../flake/open.ts";
import type { OptionFlags } from "./index.ts";

/** An option of a system; places are on this machine. */
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
  /** The key that a definition is written at, from the place of the call that defines. */
  readonly keyAt: (at: SourceLocation, path: string) => SourceLocation;
  /** Print what was asked for of them. */
  readonly answer: (text: string) => Promise<void>;
}

/** All options of the system that is meant: evaluated, or from the record of an evaluation. */
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
  return {
    options: onHostPlaces(result.value, result.onHost) as readonly ShownOption[],
    keyAt: result.keyAt,
    async answer(text) {
      context.process.stdout.write(text);
      await rememberAnswer(context, { text, watched: [() => flake.watched(result)] });
    },
  };
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

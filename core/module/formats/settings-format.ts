import { CodedError, callerLocation } from "../../base/index.ts";
import { type OptionSettings, type ReadSubmodule, type WriteSubmodule, option, optionOfType } from "../option.ts";
import type { Option, OptionGroup, OptionType } from "../option-type.ts";
import type { Data, DataSet } from "./data-type.ts";

/** How a program wants its settings written. */
export interface SettingsFormat<Whole extends Data = DataSet, Free = Data | undefined> {
  /** For messages: "TOML". */
  readonly name: string;
  /**
   * An option for a program's settings: those declared here have their own type and default, all others are taken as
   * the format has them.
   */
  readonly settings: <const Group extends OptionGroup = Record<never, never>>(
    declared?: Group,
    settings?: OptionSettings<WriteSubmodule<Group, Free>>,
  ) => Option<ReadSubmodule<Group, Free>, WriteSubmodule<Group, Free>>;
  /** An option for any one value of the format. */
  readonly value: (settings?: OptionSettings<Whole>) => Option<Whole>;
  /**
   * The text of a settings file. Equal settings have equal text: names are sorted by their UTF-8 bytes.
   *
   * @throws {CodedError} `format.unsupported` with the path of a value that the format cannot express.
   */
  readonly format: (value: Whole) => string;
}

/** What {@link makeFormat} takes. */
export interface MakeFormatOptions<Whole> {
  readonly name: string;
  /** The type of a whole file. */
  readonly whole: OptionType;
  /** The type of what stands below one of its names. */
  readonly member: OptionType;
  readonly format: (value: Whole) => string;
}

/** Make a format from its types and its text. */
export function makeFormat<Whole extends Data, Free>(options: MakeFormatOptions<Whole>): SettingsFormat<Whole, Free> {
  const { name, whole, member, format } = options;
  return {
    name,
    settings: (declared, settings) =>
      option.submodule(declared ?? {}, { freeform: optionOfType(member), ...settings } as never) as never,
    value: (settings) => optionOfType(whole, settings),
    format: (value) => {
      try {
        return format(value);
      } catch (error) {
        if (!(error instanceof Unsupported)) throw error;
        throw new CodedError("format.unsupported", `Cannot write settings as ${name}: ${error.message}`, {
          at: callerLocation(),
        });
      }
    },
  };
}

/** A value that the format cannot express; {@link makeFormat} gives it its code and place. */
export class Unsupported extends Error {
  constructor(path: readonly string[], found: string) {
    super(`found ${found} at "${path.join(".")}"`);
  }
}

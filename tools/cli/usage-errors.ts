import { type ArgumentScannerError, type Command, formatMessageForArgumentScannerError } from "@stricli/core";
import { CodedError } from "../../core/base/index.ts";
import type { CliContext } from "./context.ts";
import { showError, type ShowErrorOptions } from "./errors.ts";
import { didYouMean } from "./text.ts";

/** A command line that does not fit the command, in the words of all other errors; `command` says which flags there are. */
export function showUsageError(
  error: ArgumentScannerError,
  options: ShowErrorOptions,
  command?: Pick<Command<CliContext>, "usesFlag">,
): string {
  let hint: string | undefined;
  let code = "cli.bad-arguments";
  const message = formatMessageForArgumentScannerError(error, {
    FlagNotFoundError: ({ input, corrections, aliasName }) => {
      code = "cli.unknown-flag";
      hint = didYouMean(corrections.map((name) => (name.startsWith("-") ? name : `--${kebab(name)}`)));
      return `Cannot use flag "${aliasName === undefined ? `--${input}` : `-${aliasName}`}": this command has no such flag`;
    },
    AliasNotFoundError: ({ input }) => {
      code = "cli.unknown-flag";
      return `Cannot use flag "-${input}": this command has no such flag`;
    },
    ArgumentParseError: ({ externalFlagNameOrPlaceholder, input, exception }) => {
      if (exception instanceof CodedError && exception.hint !== undefined) hint = exception.hint;
      const why = exception instanceof Error ? exception.message : String(exception);
      return `Cannot read "${input}" for "${externalFlagNameOrPlaceholder}": ${why}`;
    },
    EnumValidationError: ({ externalFlagName, input, values }) =>
      `Cannot use "${input}" for "--${externalFlagName}": expected one of ${values.map((value) => `"${value}"`).join(", ")}`,
    UnsatisfiedFlagError: ({ externalFlagName }) =>
      `Cannot run the command: flag "--${externalFlagName}" needs a value`,
    UnexpectedPositionalError: ({ expectedCount, input }) => {
      const isFlake = /^[./~]|[#:]/.test(input) && command?.usesFlag("flake", "original") === true;
      if (isFlake) hint = `The flake comes behind its flag: --flake ${input}`;
      return `Cannot use "${input}": expected ${expectedCount === 0 ? "no argument" : `at most ${expectedCount} argument${expectedCount === 1 ? "" : "s"}`}`;
    },
    UnsatisfiedPositionalError: ({ placeholder }) => `Cannot run the command: it needs an argument ${placeholder}`,
    UnexpectedFlagError: ({ externalFlagName, input }) =>
      `Cannot use "${input}": flag "--${externalFlagName}" takes one value only`,
    InvalidNegatedFlagSyntaxError: ({ externalFlagName, valueText }) =>
      `Cannot use "=${valueText}" with "--${externalFlagName}": a negated flag takes no value`,
  });
  hint ??= "`--help` after a command shows what it takes.";
  return showError(new CodedError(code, message, { hint }), options);
}

/** A flag as people write it. */
function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

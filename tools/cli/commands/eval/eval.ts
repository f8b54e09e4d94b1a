import { resolve } from "node:path";
import { CodedError } from "../../../../core/base/index.ts";
import type { Expression, Json } from "../../../../core/host/evaluator/index.ts";
import type { CliContext } from "../../context.ts";
import { parseInstallable } from "../../installable.ts";
import { rememberAnswer } from "../../remember-answer.ts";
import { jsonText, textOfLines } from "../../text.ts";
import { openForCommand } from "../flake/open.ts";
import { textOrNothing, writeValue } from "./write-value.ts";
import type { EvalFlags } from "./index.ts";

/** `floe eval`: a value of the outputs. */
export default async function evaluate(this: CliContext, flags: EvalFlags, text: string): Promise<void> {
  const installable = parseInstallable(text);
  if (installable.kind !== "flake") {
    throw new CodedError("eval.not-a-flake", `Cannot evaluate "${text}": it is in the store already`, {
      hint: "Show a derivation with: floe derivation show",
    });
  }
  using opened = await openForCommand(this, { ...flags, flake: installable.flake });
  const result = await opened.flake.evaluate({
    attribute: installable.attribute,
    want: flags.names ? "names" : "value",
    expression: expressionOf(flags),
  });
  if (flags.writeTo !== undefined) return writeValue(result.value, resolve(this.cwd, flags.writeTo));
  const shown = textOf(text, result.value, flags);
  this.process.stdout.write(shown);
  await rememberAnswer(this, { text: shown, watched: [() => opened.flake.watched(result)] });
}

function textOf(installable: string, value: Json, flags: EvalFlags): string {
  if (flags.raw) return rawText(installable, value);
  if (flags.names && !flags.json) return textOfLines(value as string[]);
  return jsonText(value);
}

/** @throws {CodedError} `eval.two-expressions` */
function expressionOf({ apply, expr }: EvalFlags): Expression | undefined {
  if (apply !== undefined && expr !== undefined) {
    throw new CodedError(
      "eval.two-expressions",
      "Cannot evaluate: found both --apply and --expr, expected one of them",
      {
        hint: "Call the function in the expression: --expr 'f(systems.web)'",
      },
    );
  }
  if (apply !== undefined) return { kind: "apply", text: apply };
  return expr === undefined ? undefined : { kind: "outputs", text: expr };
}

function rawText(installable: string, value: Json): string {
  const text = textOrNothing(value);
  if (text !== undefined) return text;
  throw new CodedError(
    "eval.not-text",
    `Cannot print "${installable}" raw: found ${Array.isArray(value) ? "a list" : typeof value}, expected a text`,
    { hint: "Print it with --json." },
  );
}

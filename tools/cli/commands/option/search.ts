import type { CliContext } from "../../context.ts";
import { matchWords } from "../../match-words.ts";
import { jsonText, textOfLines } from "../../text.ts";
import type { OptionFlags } from "./index.ts";
import { listOptions, sayDeclaredOnly } from "./list-options.ts";

/** `floe option search`: options whose path or description has all the words. */
export default async function search(this: CliContext, flags: OptionFlags, ...words: string[]): Promise<void> {
  const matches = matchWords(words);
  const { options, fault, answer } = await listOptions(this, flags);
  if (fault !== undefined) sayDeclaredOnly(this, fault);
  const found = options.filter(({ path, description = "" }) => matches([path, description]));
  if (flags.json) return answer(jsonText(found));
  if (found.length === 0) {
    this.say("No option has these words.");
    return this.exitWith(1);
  }
  const lines = found.flatMap(({ path, type, description }) => [
    `${path}: ${type}`,
    ...(description === undefined ? [] : [`  ${description}`]),
  ]);
  await answer(textOfLines(lines));
}

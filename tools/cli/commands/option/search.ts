import type { CliContext } from "../../context.ts";
import { matchWords } from "../../match-words.ts";
import type { OptionFlags } from "./index.ts";
import { listOptions } from "./list-options.ts";

/** `floe option search`: options whose path or description has all the words. */
export default async function search(this: CliContext, flags: OptionFlags, ...words: string[]): Promise<void> {
  const matches = matchWords(words);
  const found = (await listOptions(this, flags)).filter(({ path, description = "" }) => matches([path, description]));
  if (flags.json) return this.printJson(found);
  for (const { path, type, description } of found) {
    this.print(`${path}: ${type}`);
    if (description !== undefined) this.print(`  ${description}`);
  }
  if (found.length === 0) {
    this.say("No option has these words.");
    this.exitWith(1);
  }
}

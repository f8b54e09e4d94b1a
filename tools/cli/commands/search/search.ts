import { hostPlatform } from "../../../../core/host/flake/index.ts";
import type { CliContext } from "../../context.ts";
import { matchWords } from "../../match-words.ts";
import { openForCommand } from "../flake/open.ts";
import type { SearchFlags } from "./index.ts";

interface ListedPackage {
  readonly attribute: string;
  readonly name: string;
  readonly version: string;
  readonly description: string;
}

/** `floe search`: packages whose name or description has all the words. */
export default async function search(this: CliContext, flags: SearchFlags, ...words: string[]): Promise<void> {
  const matches = matchWords(words);
  const excluded = (flags.exclude ?? []).map((word) => matchWords([word]));
  using opened = await openForCommand(this, flags);
  const place = ["packages", hostPlatform()];
  const { value } = await opened.flake.evaluate({ attribute: "", want: "packages", candidates: [place] });
  const found = (value as unknown as readonly ListedPackage[]).filter(({ attribute, name, description }) => {
    const texts = [attribute, name, description];
    return matches(texts) && !excluded.some((matchesOne) => matchesOne(texts));
  });
  if (flags.json) {
    const rows = found.map(({ attribute, ...rest }) => [[...place, attribute].join("."), rest]);
    return this.printJson(Object.fromEntries(rows));
  }
  for (const { attribute, version, description } of found) {
    this.print(`${[...place, attribute].join(".")}${version === "" ? "" : ` (${version})`}`);
    if (description !== "") this.print(`  ${description}`);
  }
  if (found.length === 0) {
    this.say("No package has these words.");
    this.exitWith(1);
  }
}

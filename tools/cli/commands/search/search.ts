import { hostPlatform } from "../../../../core/host/flake/index.ts";
import type { CliContext } from "../../context.ts";
import { matchWords } from "../../match-words.ts";
import { rememberAnswer } from "../../remember-answer.ts";
import { jsonText, textOfLines } from "../../text.ts";
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
  const result = await opened.flake.evaluate({ attribute: "", want: "packages", candidates: [place] });
  const found = (result.value as unknown as readonly ListedPackage[]).filter(({ attribute, name, description }) => {
    const texts = [attribute, name, description];
    return matches(texts) && !excluded.some((matchesOne) => matchesOne(texts));
  });
  const answer = async (text: string): Promise<void> => {
    this.process.stdout.write(text);
    await rememberAnswer(this, { text, watched: [() => opened.flake.watched(result)] });
  };
  if (flags.json) {
    const rows = found.map(({ attribute, ...rest }) => [[...place, attribute].join("."), rest]);
    return answer(jsonText(Object.fromEntries(rows)));
  }
  if (found.length === 0) {
    this.say("No package has these words.");
    return this.exitWith(1);
  }
  const lines = found.flatMap(({ attribute, version, description }) => [
    `${[...place, attribute].join(".")}${version === "" ? "" : ` (${version})`}`,
    ...(description === "" ? [] : [`  ${description}`]),
  ]);
  return answer(textOfLines(lines));
}

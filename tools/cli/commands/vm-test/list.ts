import type { CliContext } from "../../context.ts";
import type { ListFlags } from "./index.ts";
import { listTests } from "./list-tests.ts";

/** `floe vm-test list`: names and what they show. */
export default async function list(this: CliContext, flags: ListFlags, ...words: string[]): Promise<void> {
  const { tests, directory } = await listTests(this, flags, words);
  const rows = tests.map(({ fault, ...test }) =>
    fault === undefined ? test : { ...test, description: `does not evaluate: ${fault.message}` },
  );
  if (flags.json) return this.printJson(rows);
  const width = Math.max(...rows.map(({ name }) => name.length), 0);
  for (const { name, description, platforms, tags } of rows) {
    const others = platforms.length < 2 ? "" : ` (${platforms.join(", ")})`;
    const words = tags.map((tag) => ` #${tag}`).join("");
    this.print(`${name.padEnd(width)}  ${description}${others}${words}`.trimEnd());
  }
  if (rows.length > 0) return;
  const asks = words.length > 0 || flags.tag !== undefined || flags.platform !== undefined;
  const isFiltered = asks || flags.changedSince !== undefined;
  this.say(isFiltered ? "no vmTests fit all that was asked" : `the flake "${directory}" has no vmTests`);
}

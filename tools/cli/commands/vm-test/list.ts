import type { CliContext } from "../../context.ts";
import { openForCommand } from "../flake/open.ts";
import type { ListFlags } from "./index.ts";

interface Shown {
  readonly description?: string;
  readonly message?: string;
  readonly members?: Readonly<Record<string, Shown>>;
}

/** `floe vm-test list`: names and what they show. Machines are not evaluated. */
export default async function list(this: CliContext, flags: ListFlags): Promise<void> {
  using opened = await openForCommand(this, flags);
  const { value } = await opened.flake.evaluate({ attribute: "", want: "show" });
  const tests = (value as unknown as Shown).members?.["vmTests"]?.members ?? {};
  const rows = Object.entries(tests).map(([name, { description, message }]) => ({
    name,
    description: description ?? (message === undefined ? "" : `does not evaluate: ${message}`),
  }));
  if (flags.json) return this.printJson(rows);
  const width = Math.max(...rows.map(({ name }) => name.length), 0);
  for (const { name, description } of rows) this.print(`${name.padEnd(width)}  ${description}`.trimEnd());
  if (rows.length === 0) this.say(`the flake "${opened.flake.directory}" has no vmTests`);
}

import { askOutputs, outlineFlake } from "../../../../core/host/flake/index.ts";
import type { CliContext } from "../../context.ts";
import { openForCommand } from "../flake/open.ts";
import type { ListFlags } from "./index.ts";

/** `floe vm-test list`: names and what they show. Machines are not evaluated. */
export default async function list(this: CliContext, flags: ListFlags): Promise<void> {
  using opened = await openForCommand(this, flags);
  const { paths } = await outlineFlake(opened.flake);
  const meant = paths.filter(([output]) => output === "vmTests");
  const { outputs, faults } = await askOutputs(opened.flake, "show", meant);
  const rows = meant.map((path) => {
    const name = path[1] as string;
    const isMeant = (each: { readonly path: readonly string[] }): boolean => each.path[1] === name;
    const fault = faults.find(isMeant);
    const { description = "", platforms = [] } = outputs.find(isMeant) ?? {};
    const text = fault === undefined ? description : `does not evaluate: ${fault.error.message}`;
    return { name, description: text, platforms };
  });
  if (flags.json) return this.printJson(rows);
  const width = Math.max(...rows.map(({ name }) => name.length), 0);
  for (const { name, description, platforms } of rows) {
    const others = platforms.length < 2 ? "" : ` (${platforms.join(", ")})`;
    this.print(`${name.padEnd(width)}  ${description}${others}`.trimEnd());
  }
  if (rows.length === 0) this.say(`the flake "${opened.flake.directory}" has no vmTests`);
}

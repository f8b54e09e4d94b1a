import type { CliContext } from "../../context.ts";
import type { JsonFlags, StoreFlags } from "../../flags.ts";
import { openStore } from "../../store.ts";
import { VERSION } from "../../version.ts";

/** `floe store ping`. Who may write to a store of this machine is trusted by it. */
export default function ping(this: CliContext, flags: StoreFlags & JsonFlags): void {
  using store = openStore(flags, { readOnly: true });
  const facts = { url: store.root === "/" ? "local" : store.root, version: VERSION, trusted: store.isWritable() };
  if (flags.json) return this.printJson(facts);
  this.print(`Store URL: ${facts.url}`);
  this.print(`Version: ${facts.version}`);
  this.print(`Trusted: ${facts.trusted ? 1 : 0}`);
}

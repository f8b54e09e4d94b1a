import { basename, resolve } from "node:path";
import type { CliContext } from "../../context.ts";
import { openStore } from "../../store.ts";
import type { AddFlags } from "./index.ts";

/** Copy a file tree into the store and print where it is. */
export default async function add(this: CliContext, flags: AddFlags, path: string): Promise<void> {
  using store = openStore(flags);
  const from = resolve(this.cwd, path);
  const name = flags.name ?? basename(from);
  this.print(await store.addTree({ name, from, method: flags.flat ? "flat" : "recursive" }));
}

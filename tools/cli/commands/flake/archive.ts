import type { CliContext } from "../../context.ts";
import { parseStorePath, type StorePath } from "../../../../core/store/index.ts";
import type { ArchiveFlags } from "./index.ts";
import { openForCommand } from "./open.ts";

/** `floe flake archive`: the source of a flake and of all its inputs, in a store. */
export default async function archive(this: CliContext, flags: ArchiveFlags, reference: string): Promise<void> {
  using opened = await openForCommand(this, { ...flags, flake: reference });
  const { flake, store } = opened;
  const resolved = await flake.resolveInputs();
  const path = await flake.addSource();
  const nodes = Object.fromEntries(
    [...resolved.nodes].map(([id, { storePath, inputs }]) => [id, { path: storePath, inputs }]),
  );
  const paths = [...new Set<StorePath>([path, ...Object.values(nodes).map((node) => parseStorePath(node.path))])];
  if (flags.to !== undefined && !flags.dryRun) {
    const { openStoreUrl } = await import("../../../../core/host/stores/index.ts");
    const { transfer } = await import("../store/transfer.ts");
    using to = await openStoreUrl(flags.to, { cwd: this.cwd, signal: this.signal, create: true });
    const copyFlags = { ...flags, json: false, recursive: true, derivation: false, quiet: flags.json };
    await transfer(this, { from: store, to, paths, trusted: "all", flags: copyFlags });
  }
  if (flags.json) return this.printJson({ path, inputs: resolved.inputs, nodes });
  for (const each of paths) this.print(each);
}

import { type ClosureMember, diffClosures } from "../../../../core/derivation/index.ts";
import type { CliContext } from "../../context.ts";
import type { DiffFlags } from "./ask-routes.ts";
import { infosOfClosures, openAskedStore } from "./asked-store.ts";
import { getPathInfo } from "./valid-path.ts";

/** `floe store diff-closures`. */
export default async function diff(this: CliContext, flags: DiffFlags, before: string, after: string): Promise<void> {
  const texts = [before, after];
  using store = await openAskedStore(this, flags, { texts, reach: "closure" });
  const closures = infosOfClosures(
    store,
    texts.map((text) => getPathInfo(store, text).path),
  );
  const [old = [], fresh = []] = closures.map((infos) =>
    infos.map(({ path, narSize }): ClosureMember => ({ path, sizeBytes: narSize })),
  );
  const differences = diffClosures(old, fresh);
  if (flags.json) return this.printJson(differences);
  for (const { name, removed, added, sizeChangeBytes, isLarge } of differences) {
    const words = [
      ...(removed.length + added.length > 0 ? [`${versions(removed)} → ${versions(added)}`] : []),
      ...(isLarge ? [`${sizeChangeBytes > 0 ? "+" : ""}${(sizeChangeBytes / 1024).toFixed(1)} KiB`] : []),
    ];
    this.print(`${name}: ${words.join(", ")}`);
  }
}

function versions(list: readonly string[]): string {
  return list.length === 0 ? "∅" : list.map((version) => (version === "" ? "ε" : version)).join(", ");
}

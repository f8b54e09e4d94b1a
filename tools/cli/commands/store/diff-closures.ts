import { type ClosureMember, diffClosures } from "../../../../core/derivation/index.ts";
import type { CliContext } from "../../context.ts";
import { openStore } from "../../store.ts";
import type { DiffFlags } from "./ask-routes.ts";
import { getPathInfo } from "./valid-path.ts";

/** `floe store diff-closures`. */
export default function diff(this: CliContext, flags: DiffFlags, before: string, after: string): void {
  using store = openStore(flags, { readOnly: true });
  const closures = store.closuresWithInfos([before, after].map((text) => [getPathInfo(store, text).path]));
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

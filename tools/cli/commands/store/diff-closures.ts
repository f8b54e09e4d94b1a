import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import { type ClosureMember, diffClosures } from "../../../../core/derivation/index.ts";
import type { CliContext } from "../../context.ts";
import { openStore } from "../../store.ts";
import type { DiffFlags } from "./ask-routes.ts";
import { getPathInfo } from "./valid-path.ts";

/** `floe store diff-closures`. */
export default function diff(this: CliContext, flags: DiffFlags, before: string, after: string): void {
  using store = openStore(flags, { readOnly: true });
  const differences = diffClosures(membersOf(store, before), membersOf(store, after));
  if (flags.json) return this.printJson(differences);
  for (const { name, removed, added, sizeChangeBytes, isLarge } of differences) {
    const words = [
      ...(removed.length + added.length > 0 ? [`${versions(removed)} → ${versions(added)}`] : []),
      ...(isLarge ? [`${sizeChangeBytes > 0 ? "+" : ""}${(sizeChangeBytes / 1024).toFixed(1)} KiB`] : []),
    ];
    this.print(`${name}: ${words.join(", ")}`);
  }
}

/** From here on the sizes of all objects are read at once. */
const MANY = 1000;

function membersOf(store: LocalStore, text: string): ClosureMember[] {
  const closure = store.closure([getPathInfo(store, text).path]);
  const recorded = closure.length < MANY ? [] : store.allContents();
  const sizes = new Map(recorded.map(({ path, narSize }) => [path, narSize]));
  return closure.map((path) => ({ path, sizeBytes: sizes.get(path) ?? getPathInfo(store, path).narSize }));
}

function versions(list: readonly string[]): string {
  return list.length === 0 ? "∅" : list.map((version) => (version === "" ? "ε" : version)).join(", ");
}

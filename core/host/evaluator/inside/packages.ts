import { compareText } from "../../../base/index.ts";
import { member } from "./lookup.ts";

/** One package, as far as a search needs it. */
export interface ListedPackage {
  readonly attribute: string;
  readonly name: string;
  readonly version: string;
  readonly description: string;
}

/** Packages of the first place that has any. One that fails is left out: it cannot be found, and does not hide the others. */
export function listPackages(outputs: object, places: readonly (readonly string[])[]): ListedPackage[] {
  for (const place of places) {
    const set = place.reduce<unknown>((value, name) => member(value, name), outputs);
    if (typeof set !== "object" || set === null) continue;
    return Object.keys(set)
      .flatMap((name) => listPackage(set as Record<string, unknown>, name))
      .sort((a, b) => compareText(a.attribute, b.attribute));
  }
  return [];
}

function listPackage(set: Record<string, unknown>, attribute: string): ListedPackage[] {
  try {
    const value = set[attribute];
    if (typeof value !== "object" || value === null) return [];
    const { kind, name, version, meta, drvPath } = value as Record<string, unknown>;
    if (kind !== "package" && typeof drvPath !== "string") return [];
    const summary = (meta as { summary?: unknown } | undefined)?.summary;
    return [{ attribute, name: textOf(name), version: textOf(version), description: textOf(summary) }];
  } catch {
    return [];
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

import type { ValueOf } from "#floe/module";
import { option } from "#floe/module";
import type { EtcEntry } from "#floe/system";
import { type UnitSections, type UnitValue, formatUnit } from "./unit-text.ts";
import { unitOptions } from "./unit-options.ts";

const unit = option.submodule(unitOptions);

/** What units of every kind have. */
export type UnitHead = ValueOf<typeof unit>;

/** One file or link of the unit folder. */
export interface UnitFile {
  /** Relative to the folder, such as `multi-user.target.wants/nginx.service`. */
  readonly path: string;
  readonly content: EtcEntry["content"];
}

/** The files of one unit: itself or its drop-in, and the links by which others want it. */
export function renderUnit(name: string, head: UnitHead, own: UnitSections): UnitFile[] {
  if (!head.enable) return [{ path: name, content: { kind: "source", path: "/dev/null" } }];
  const text = formatUnit({ Unit: unitSection(name, head), ...own });
  const files: UnitFile[] = [];
  if (head.overrides) {
    if (text !== "") files.push({ path: `${name}.d/overrides.conf`, content: { kind: "text", text } });
  } else {
    files.push({ path: name, content: { kind: "text", text } });
  }
  const link = (path: string): UnitFile => ({
    path,
    content: { kind: "source", path: path.includes("/") ? `../${name}` : name },
  });
  return [
    ...files,
    ...head.wantedBy.map((target) => link(`${target}.wants/${name}`)),
    ...head.requiredBy.map((target) => link(`${target}.requires/${name}`)),
    ...head.aliases.map((alias) => link(alias)),
  ];
}

const RELATIONS = {
  Documentation: "documentation",
  Requires: "requires",
  Requisite: "requisite",
  Wants: "wants",
  BindsTo: "bindsTo",
  PartOf: "partOf",
  Conflicts: "conflicts",
  Before: "before",
  After: "after",
  OnFailure: "onFailure",
} as const;

function unitSection(name: string, head: UnitHead): Readonly<Record<string, UnitValue>> {
  const keys: Record<string, UnitValue> = {};
  if (head.description !== null) keys["Description"] = head.description;
  for (const [key, name] of Object.entries(RELATIONS)) {
    if (head[name].length > 0) keys[key] = head[name].join(" ");
  }
  // Read by the switch and ignored by systemd, which leaves keys that start with "X-" to others.
  if (!name.endsWith(".target")) keys["X-OnChange"] = head.onChange;
  if (head.restartTriggers.length > 0) keys["X-Restart-Triggers"] = head.restartTriggers.join(" ");
  if (head.reloadTriggers.length > 0) keys["X-Reload-Triggers"] = head.reloadTriggers.join(" ");
  return { ...keys, ...head.unitConfig };
}

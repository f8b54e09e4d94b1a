import { compareText } from "#floe/base";

/** A value of one key; a list gives the key once per element. */
export type UnitValue = string | number | boolean | readonly (string | number | boolean)[];

/** Sections of a unit file by name, each with its keys. */
export type UnitSections = Readonly<Record<string, Readonly<Record<string, UnitValue>>>>;

/** The text of a unit file. Keys are sorted, empty sections left out: equal units have equal bytes. */
export function formatUnit(sections: UnitSections): string {
  return Object.entries(sections)
    .filter(([, keys]) => Object.keys(keys).length > 0)
    .map(([name, keys]) => {
      const lines = Object.keys(keys)
        .sort(compareText)
        .flatMap((key) => [keys[key] ?? []].flat().map((value) => `${key}=${formatValue(value)}`));
      return lines.length === 0 ? "" : `[${name}]\n${lines.join("\n")}\n`;
    })
    .filter((text) => text !== "")
    .join("\n");
}

function formatValue(value: string | number | boolean): string {
  // A line break would end the value; systemd continues after a backslash.
  return String(value).replaceAll("\n", "\\\n");
}

/** One assignment of `Environment=`, quoted as systemd reads it. */
export function formatAssignment(name: string, value: string): string {
  const escaped = value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n").replaceAll("%", "%%");
  return `"${name}=${escaped}"`;
}

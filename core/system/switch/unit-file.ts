/** A unit file as it is read: sections, keys and all values of each key, in order. */
export interface UnitFile {
  readonly sections: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;
  /** Whether the unit is a link to /dev/null. */
  readonly masked: boolean;
}

/** A unit that exists and cannot be started. */
export const MASKED_UNIT: UnitFile = { sections: new Map(), masked: true };

/**
 * Read a unit from its texts: the file itself, then its drop-ins in the order of their names.
 *
 * An empty assignment takes back all earlier values of its key. Source: systemd.syntax(7).
 */
export function parseUnit(...texts: readonly string[]): UnitFile {
  const sections = new Map<string, Map<string, string[]>>();
  for (const text of texts) {
    let section: Map<string, string[]> | undefined;
    for (const line of logicalLines(text)) {
      const head = /^\[(.+)\]$/.exec(line);
      if (head?.[1] !== undefined) {
        section = sections.get(head[1]) ?? new Map();
        sections.set(head[1], section);
        continue;
      }
      const equals = line.indexOf("=");
      if (equals === -1 || section === undefined) continue;
      const key = line.slice(0, equals).trim();
      const value = line.slice(equals + 1).trim();
      if (value === "") section.delete(key);
      else section.set(key, [...(section.get(key) ?? []), value]);
    }
  }
  return { sections, masked: false };
}

/** Lines without comments; one that ends in a backslash goes on in the next. */
function* logicalLines(text: string): Iterable<string> {
  let pending = "";
  for (const raw of text.split("\n")) {
    const line = raw.trim();
    if (line.startsWith("#") || line.startsWith(";")) continue;
    if (line.endsWith("\\")) {
      pending += `${line.slice(0, -1)} `;
      continue;
    }
    const whole = `${pending}${line}`;
    pending = "";
    if (whole.trim() !== "") yield whole.trim();
  }
  if (pending.trim() !== "") yield pending.trim();
}

/** The values of a key; empty when it is not there. */
export function unitValues(unit: UnitFile, section: string, key: string): readonly string[] {
  return unit.sections.get(section)?.get(key) ?? [];
}

/** A boolean of a unit: the last value counts. */
export function unitFlag(unit: UnitFile, section: string, key: string, otherwise: boolean): boolean {
  const value = unitValues(unit, section, key).at(-1)?.toLowerCase();
  if (value === undefined) return otherwise;
  return value === "yes" || value === "true" || value === "on" || value === "1";
}

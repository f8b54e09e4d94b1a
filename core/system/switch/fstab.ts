/** One line of fstab(5). */
export interface FstabEntry {
  readonly device: string;
  /** The mount point; `none` for swap. */
  readonly point: string;
  readonly type: string;
  readonly options: string;
}

/** Read an fstab. Lines with fewer than three fields are left out, as mount(8) does. */
export function parseFstab(text: string): FstabEntry[] {
  return text.split("\n").flatMap((line) => {
    const [device, point, type, options = "defaults"] = line
      .replace(/^\s*#.*/, "")
      .trim()
      .split(/\s+/)
      .map(unescapeField);
    return device && point && type ? [{ device, point, type, options }] : [];
  });
}

function unescapeField(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** The name of the unit for a mount point, with its suffix. Source: systemd.unit(5), "String escaping". */
export function mountUnitName(point: string): string {
  return `${escapeUnitPath(point)}.mount`;
}

/** The part of a unit's name that stands for a path. */
export function escapeUnitPath(path: string): string {
  const clean = path.replace(/\/+/g, "/").replace(/^\/|\/$/g, "");
  if (clean === "") return "-";
  return [...new TextEncoder().encode(clean)]
    .map((byte, index) => {
      const char = String.fromCharCode(byte);
      if (char === "/") return "-";
      if (/[A-Za-z0-9:_]/.test(char) || (char === "." && index > 0)) return char;
      return `\\x${byte.toString(16).padStart(2, "0")}`;
    })
    .join("");
}

/**
 * Text from outside, made safe to show: without control characters (they could move the cursor or hide words) and
 * without the user and password of addresses. Tabs and line breaks stay.
 */
export function plainText(text: string): string {
  return text
    .replace(/\x1b\[[0-9;:?]*[ -/]*[@-~]/g, "")
    .replace(/[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]/g, "")
    .replace(/([a-z][a-z0-9+.-]*:\/\/)[^/@\s"']*@/gi, "$1");
}

/** `Did you mean "a" or "b"?`, or nothing when there is no candidate. */
export function didYouMean(candidates: readonly string[]): string | undefined {
  if (candidates.length === 0) return undefined;
  const quoted = candidates.slice(0, 3).map((candidate) => `"${candidate}"`);
  const last = quoted.pop();
  return `Did you mean ${quoted.length === 0 ? last : `${quoted.join(", ")} or ${last}`}?`;
}

/** A size for people: `12 B`, `3.4 KiB`, `120 MiB`. */
export function formatBytes(sizeBytes: number): string {
  let size = sizeBytes;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (size < 1024) return `${unit === "B" || size >= 100 ? Math.round(size) : size.toFixed(1)} ${unit}`;
    size /= 1024;
  }
  return `${size.toFixed(1)} TiB`;
}

/** Lines as results are printed. */
export function textOfLines(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}

/** A value as results are printed for programs: indented JSON, and the end of a line. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

/** Begins each line of a builder's log that is an entry of the run's records, and not for people. */
const MARK = "@floe-vm-test ";

/** An entry of a run's records on its way out of a build. */
export interface WireEntry {
  /** Path in the run's folder. */
  readonly file: string;
  /** A line of that file, with its time; else the whole file's content, in base64. */
  readonly entry?: object;
  readonly base64?: string;
}

export function formatWireEntry(entry: WireEntry): string {
  return `${MARK}${JSON.stringify(entry)}`;
}

/** `undefined` for a line that is for people. A builder is not trusted: a path that leads out of the folder is no entry. */
export function parseWireEntry(line: string): WireEntry | undefined {
  if (!line.startsWith(MARK)) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(line.slice(MARK.length));
  } catch {
    return undefined;
  }
  const { file, entry, base64 } = (parsed ?? {}) as Record<string, unknown>;
  if (typeof file !== "string" || !isInside(file)) return undefined;
  if (typeof entry === "object" && entry !== null) return { file, entry };
  return typeof base64 === "string" ? { file, base64 } : undefined;
}

function isInside(path: string): boolean {
  return path.split("/").every((part) => part !== "" && part !== "." && part !== ".." && !part.includes("\0"));
}

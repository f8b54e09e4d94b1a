/** Begins each line of a builder's log that belongs to the run's records, and is not for people. */
const MARK = "@floe-vm-test";

/** A builder's log gives up on longer lines, so a longer entry takes several; only its last one ends with a space after the mark. */
const PIECE_LENGTH = 32_768;

/** What the pieces of one entry may come to. */
const MOST_LENGTH = 64 * 1024 * 1024;

/** An entry of a run's records on its way out of a build. */
export interface WireEntry {
  /** Path in the run's folder. */
  readonly file: string;
  /** A line of that file, with its time; else the whole file's content, in base64. */
  readonly entry?: object;
  readonly base64?: string;
}

/** Lines for the log, each with its end. In ASCII: a log drops control characters, and no character may be cut in two. */
export function formatWireEntry(entry: WireEntry): string {
  const json = JSON.stringify(entry).replace(
    /[\x7f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const lines: string[] = [];
  for (let at = 0; at < json.length; at += PIECE_LENGTH) {
    const isLast = at + PIECE_LENGTH >= json.length;
    lines.push(`${MARK}${isLast ? "" : "+"} ${json.slice(at, at + PIECE_LENGTH)}\n`);
  }
  return lines.join("");
}

/** Reads entries out of a log. Its builder is not trusted: what is malformed, too long, or leads out of the folder is no entry. */
export class WireReader {
  readonly #onHost: (json: string) => string;
  #pieces: string[] = [];
  #length = 0;

  /** @param onHost Changes the JSON before it is read: places in the build to places here. */
  constructor(onHost: (json: string) => string = String) {
    this.#onHost = onHost;
  }

  /** `"more"` for a line that is a part of an entry; `undefined` for one that is for people. */
  read(line: string): WireEntry | "more" | undefined {
    if (line.startsWith(`${MARK}+ `)) {
      this.#add(line.slice(MARK.length + 2));
      return "more";
    }
    if (!line.startsWith(`${MARK} `)) return undefined;
    this.#add(line.slice(MARK.length + 1));
    const json = this.#length > MOST_LENGTH ? "" : this.#pieces.join("");
    this.#pieces = [];
    this.#length = 0;
    return parseEntry(this.#onHost(json));
  }

  #add(piece: string): void {
    this.#length += piece.length;
    if (this.#length > MOST_LENGTH) this.#pieces = [];
    else this.#pieces.push(piece);
  }
}

function parseEntry(json: string): WireEntry | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
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

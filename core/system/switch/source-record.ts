import { isRecord, sortedText } from "../../base/index.ts";

/** Where one source of a system comes from. */
export interface RecordedSource {
  /** `git`, `tarball` or `file`. */
  readonly type: string;
  /** Address without `git+` and its like. */
  readonly url: string;
  readonly rev?: string;
  readonly ref?: string;
  /** SRI hash of the NAR of the tree. */
  readonly narHash?: string;
  /** Seconds since 1970. */
  readonly lastModified?: number;
}

/** Of what a system was made, by the name of the input. */
export type SourceRecord = Readonly<Record<string, RecordedSource>>;

/** Name of the file in a system. */
export const SOURCES_FILE = "sources.json";

const FIELDS: readonly (readonly [name: keyof RecordedSource, type: "string" | "number"])[] = [
  ["lastModified", "number"],
  ["narHash", "string"],
  ["ref", "string"],
  ["rev", "string"],
  ["type", "string"],
  ["url", "string"],
];

/** The text of `sources.json`, with its names in the order of their bytes. */
export function formatSources(sources: SourceRecord): string {
  const inputs = Object.fromEntries(sortedText(Object.keys(sources)).map((name) => [name, fieldsOf(sources[name])]));
  return `${JSON.stringify({ version: 1, inputs }, undefined, 2)}\n`;
}

/** Read a `sources.json`; `undefined` when it does not have the first version's form. */
export function tryParseSources(text: string): SourceRecord | undefined {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(document) || document["version"] !== 1 || !isRecord(document["inputs"])) return undefined;
  const sources = Object.entries(document["inputs"]).map(([name, source]) => [name, fieldsOf(source)] as const);
  return sources.every(([, { type, url }]) => type !== undefined && url !== undefined)
    ? (Object.fromEntries(sources) as SourceRecord)
    : undefined;
}

function fieldsOf(source: unknown): Partial<RecordedSource> {
  const own = (isRecord(source) ? source : {}) as Readonly<Record<string, unknown>>;
  return Object.fromEntries(FIELDS.flatMap(([name, type]) => (typeof own[name] === type ? [[name, own[name]]] : [])));
}

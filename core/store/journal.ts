import { CodedError, fromUtf8, toBase32, parseHash, utf8 } from "../base/index.ts";
import type { PathInfo } from "./path-info.ts";
import { formatRealisation, parseRealisation, type Realisation } from "./realisation.ts";
import { STORE_DIRECTORY, storePathBaseName, type StorePath, storePathFromBaseName } from "./store-path.ts";

/** The version of the journal's format that we read and write. */
export const JOURNAL_VERSION = 1;

/** A longer line is damage: it would hold some hundred thousand references. */
export const MAX_JOURNAL_LINE_BYTES = 16 * 1024 * 1024;

/** Bytes of the line of a mark, which all have the same length, so that the last one is found without reading the rest. */
export const JOURNAL_MARK_BYTES = 95;

/** How far the journal has followed the database. */
export interface JournalMark {
  readonly kind: "mark";
  /** Rows of the database up to this id were committed, and the journal has them. */
  readonly coveredId: number;
  /** The highest id of the batch that this mark ends, which counts once its transaction is committed. */
  readonly pendingId: number;
  /** Digest of the path with that id; 32 zeros when the batch made no row. */
  readonly pendingDigest: string;
  /** Bytes of the journal after it was last compacted. */
  readonly compactBytes: number;
}

/**
 * One fact of the journal: an object with all that is recorded about it, which replaces what was said before; an object that
 * is no longer valid; a mark, which ends each batch of facts.
 */
export type JournalRecord =
  | { readonly kind: "header"; readonly version: number }
  | { readonly kind: "valid"; readonly info: PathInfo }
  | { readonly kind: "invalid"; readonly path: StorePath }
  /** It goes with the object it is about. */
  | { readonly kind: "realisation"; readonly realisation: Realisation }
  | JournalMark;

/**
 * The line of a record, with its line break.
 *
 * Shape: `<crc32> <kind> <fields>`, ASCII, fields parted by one space. Kinds: `! floe-journal <version>`;
 * `+ <base name> <nar hash, base 32> <nar size> <time> <u|-> <deriver> <ca> <number of signatures> <signatures…> <references…>`;
 * `- <base name>`; `~ <text of a realisation>`; `= <covered id> <pending id> <digest> <compact bytes>` with numbers of 16 digits. What is absent is `-`.
 * Lines, and not counted lengths, so that what follows damage can be read, by people too.
 */
export function formatJournalRecord(record: JournalRecord): string {
  const text = formatBody(record);
  return `${checksum(text)} ${text}\n`;
}

function formatBody(record: JournalRecord): string {
  switch (record.kind) {
    case "header":
      return `! floe-journal ${record.version}`;
    case "valid":
      return formatInfo(record.info);
    case "invalid":
      return `- ${storePathBaseName(record.path)}`;
    case "realisation":
      return `~ ${escapeField(formatRealisation(record.realisation))}`;
    case "mark":
      return `= ${digits(record.coveredId)} ${digits(record.pendingId)} ${record.pendingDigest} ${digits(record.compactBytes)}`;
  }
}

function formatInfo(info: PathInfo): string {
  let text = `+ ${storePathBaseName(info.path)} ${toBase32(info.narHash.digest)} ${info.narSize}`;
  text += ` ${info.registrationTime ?? "-"} ${info.ultimate === true ? "u" : "-"}`;
  text += ` ${info.deriver === undefined ? "-" : storePathBaseName(info.deriver)}`;
  text += ` ${info.ca === undefined ? "-" : escapeField(info.ca)} ${info.signatures.length}`;
  for (const signature of info.signatures) text += ` ${escapeField(signature)}`;
  for (const reference of info.references) text += ` ${storePathBaseName(reference)}`;
  return text;
}

/**
 * Read one line, without its line break.
 *
 * @throws {CodedError} `journal.malformed` when the checksum or a field is wrong; `journal.unsupported` for a newer format.
 */
export function parseJournalLine(line: string, storeDirectory: string = STORE_DIRECTORY): JournalRecord {
  const text = line.slice(9);
  if (line[8] !== " " || checksum(text) !== line.slice(0, 8)) throw malformed(line, "its checksum is another one");
  const fields = new Fields(line, text.split(" "), storeDirectory);
  const kind = fields.next();
  const record = readBody(kind, fields);
  fields.end();
  return record;
}

function readBody(kind: string, fields: Fields): JournalRecord {
  switch (kind) {
    case "!":
      return readHeader(fields);
    case "+":
      return { kind: "valid", info: readInfo(fields) };
    case "-":
      return { kind: "invalid", path: fields.path() };
    case "~":
      return { kind: "realisation", realisation: readRealisation(fields) };
    case "=":
      return {
        kind: "mark",
        coveredId: fields.digits(),
        pendingId: fields.digits(),
        pendingDigest: fields.match(/^[0-9a-df-np-sv-z]{32}$/, "a digest"),
        compactBytes: fields.digits(),
      };
    default:
      throw fields.malformed(`found ${JSON.stringify(kind)}, expected a kind of record`);
  }
}

function readHeader(fields: Fields): JournalRecord {
  fields.match(/^floe-journal$/, "floe-journal");
  const version = fields.count();
  if (version === JOURNAL_VERSION) return { kind: "header", version };
  throw new CodedError(
    "journal.unsupported",
    `Cannot read the journal of the store: found version ${version}, expected ${JOURNAL_VERSION}`,
    { hint: "A newer Floe wrote it; use that one." },
  );
}

function readRealisation(fields: Fields): Realisation {
  const text = fields.text();
  try {
    const realisation = parseRealisation(text);
    if (formatRealisation(realisation) === text) return realisation;
  } catch (error) {
    throw fields.malformed((error as Error).message);
  }
  throw fields.malformed("its realisation is not in the one form it has");
}

function readInfo(fields: Fields): PathInfo {
  const path = fields.path();
  const narHash = parseHash(fields.match(/^[0-9a-df-np-sv-z]{52}$/, "a sha256 in base 32"), "sha256");
  const narSize = fields.count();
  const registrationTime = fields.optional(() => fields.count());
  const ultimate = fields.match(/^[u-]$/, "u or -") === "u";
  const deriver = fields.optional(() => fields.path());
  const ca = fields.optional(() => fields.text());
  const count = fields.count();
  if (count > fields.left) throw fields.malformed(`found ${fields.left} fields, expected ${count} signatures`);
  const signatures = Array.from({ length: count }, () => fields.text());
  const references = Array.from({ length: fields.left }, () => fields.path());
  return {
    path,
    narHash,
    narSize,
    references,
    ...(registrationTime === undefined ? {} : { registrationTime }),
    ultimate,
    signatures,
    ...(deriver === undefined ? {} : { deriver }),
    ...(ca === undefined ? {} : { ca }),
  };
}

/** The fields of a line, one after the other. */
class Fields {
  readonly #line: string;
  readonly #fields: readonly string[];
  readonly #storeDirectory: string;
  #at = 0;

  constructor(line: string, fields: readonly string[], storeDirectory: string) {
    this.#line = line;
    this.#fields = fields;
    this.#storeDirectory = storeDirectory;
  }

  get left(): number {
    return this.#fields.length - this.#at;
  }

  next(): string {
    const field = this.#fields[this.#at];
    if (field === undefined || field === "") throw this.malformed("a field is missing");
    this.#at += 1;
    return field;
  }

  match(pattern: RegExp, expected: string): string {
    const field = this.next();
    if (!pattern.test(field)) throw this.malformed(`found ${JSON.stringify(field)}, expected ${expected}`);
    return field;
  }

  count(): number {
    return this.#safe(this.match(/^(0|[1-9][0-9]{0,15})$/, "a number"));
  }

  digits(): number {
    return this.#safe(this.match(/^[0-9]{16}$/, "a number of 16 digits"));
  }

  path(): StorePath {
    try {
      return storePathFromBaseName(this.next(), this.#storeDirectory);
    } catch (error) {
      throw this.malformed((error as Error).message);
    }
  }

  text(): string {
    const field = this.next();
    const text = unescapeField(field);
    if (escapeField(text) !== field) throw this.malformed(`found ${JSON.stringify(field)}, expected its escaped form`);
    return text;
  }

  optional<T>(read: () => T): T | undefined {
    if (this.#fields[this.#at] !== "-") return read();
    this.#at += 1;
    return undefined;
  }

  end(): void {
    if (this.left > 0) throw this.malformed(`${this.left} fields are left over`);
  }

  malformed(why: string): CodedError {
    return malformed(this.#line, why);
  }

  #safe(text: string): number {
    const value = Number(text);
    if (!Number.isSafeInteger(value)) throw this.malformed(`the number ${text} is too large`);
    return value;
  }
}

function malformed(line: string, why: string): CodedError {
  const shown = line.length > 80 ? `${line.slice(0, 80)}…` : line;
  return new CodedError("journal.malformed", `Cannot read ${JSON.stringify(shown)} as a line of the journal: ${why}`);
}

/** A number in 16 digits, enough for every safe integer. */
function digits(value: number): string {
  return String(value).padStart(16, "0");
}

/** What is not plain ASCII, a space or `%` becomes `%xx` for each of its bytes, so that every text can be a field. */
function escapeField(text: string): string {
  if (/^[!-$&-~]+$/.test(text) && text !== "-") return text;
  let escaped = "";
  for (const byte of utf8(text)) {
    const plain = byte > 0x20 && byte < 0x7f && byte !== 0x25 && text !== "-";
    escaped += plain ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, "0")}`;
  }
  return escaped;
}

function unescapeField(field: string): string {
  if (!field.includes("%")) return field;
  const bytes: number[] = [];
  for (let i = 0; i < field.length; i++) {
    if (field[i] !== "%") bytes.push(field.charCodeAt(i));
    else {
      bytes.push(Number.parseInt(field.slice(i + 1, i + 3), 16));
      i += 2;
    }
  }
  return fromUtf8(Uint8Array.from(bytes));
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** CRC-32 (that of gzip) of an ASCII text, in 8 hexadecimal digits. */
function checksum(text: string): string {
  let crc = 0xffffffff;
  for (let i = 0; i < text.length; i++) crc = (CRC_TABLE[(crc ^ text.charCodeAt(i)) & 0xff] as number) ^ (crc >>> 8);
  return ((crc ^ 0xffffffff) >>> 0).toString(16).padStart(8, "0");
}

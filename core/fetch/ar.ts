import { CodedError, fromUtf8 } from "../base/index.ts";

/** One member of an `ar` archive; `bytes` is a view, not a copy. */
export interface ArMember {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const MAGIC = "!<arch>\n";
const HEADER_BYTES = 60;

/**
 * Members of an `ar` archive with plain names, as in a `.deb` file.
 *
 * @throws {CodedError} `fetch.bad-archive` when the bytes are no complete archive.
 *
 * Source: ar(5), deb(5).
 */
export function parseAr(archive: Uint8Array): ArMember[] {
  if (fromUtf8(archive.subarray(0, MAGIC.length)) !== MAGIC) throw bad("it does not begin as an ar archive");
  const members: ArMember[] = [];
  let at = MAGIC.length;
  while (at < archive.length) {
    const header = fromUtf8(archive.subarray(at, at + HEADER_BYTES));
    const digits = header.slice(48, 58).trim();
    // A number below zero would lead backwards, for ever.
    if (header.length < HEADER_BYTES || header.slice(58) !== "`\n" || !/^[0-9]+$/.test(digits))
      throw bad(`no member begins at byte ${at}`);
    const size = Number(digits);
    const start = at + HEADER_BYTES;
    if (start + size > archive.length) throw bad("it ends too early");
    members.push({
      name: header.slice(0, 16).trimEnd().replace(/\/$/, ""),
      bytes: archive.subarray(start, start + size),
    });
    // Members begin at even offsets.
    at = start + size + (size % 2);
  }
  return members;
}

function bad(found: string): CodedError {
  return new CodedError("fetch.bad-archive", `Cannot read the package as an archive: ${found}`);
}

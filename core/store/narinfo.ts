import { CodedError, formatHash, type Hash, parseHash, sortedText } from "../base/index.ts";
import { formatContentAddress, parseContentAddress } from "./content-address.ts";
import type { PathInfo } from "./path-info.ts";
import {
  STORE_DIRECTORY,
  type StorePath,
  parseStorePath,
  storePathBaseName,
  storePathFromBaseName,
} from "./store-path.ts";

/** What a binary cache says of one store object (`<digest>.narinfo`): its facts, and where its archive lies. */
export interface NarInfo extends PathInfo {
  /** Of the archive file: relative to the cache's root, mostly `nar/…`, or a whole address. */
  readonly url: string;
  /** How the file is compressed, as its writer said: `none`, `xz`, `bzip2`, `gzip`, `zstd`, `br`, … */
  readonly compression: string;
  /** Of the file as it lies in the cache. */
  readonly fileHash?: Hash | undefined;
  /** Bytes of the file as it lies in the cache. */
  readonly fileSize?: number | undefined;
}

/** What a file holds whose writer did not say how it is compressed. */
const COMPRESSION_UNSAID = "bzip2";

/**
 * Read a `.narinfo` file.
 *
 * Shape: lines `Key: value` in any order, each ended by a line feed; unknown keys are ignored, signatures are a set.
 *
 * @throws {CodedError} `narinfo.malformed`
 *
 * Source: Nix, `src/libstore/nar-info.cc`.
 */
export function parseNarInfo(text: string, storeDirectory: string = STORE_DIRECTORY): NarInfo {
  const lines = text.split("\n");
  if (lines.pop() !== "") throw malformed("its last line does not end");
  const draft: Draft = { signatures: new Set() };
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon < 0) throw malformed(`found the line ${JSON.stringify(line)}, expected a key, ":" and a value`);
    const key = line.slice(0, colon);
    try {
      FIELDS.get(key)?.(draft, line.slice(colon + 2), storeDirectory);
    } catch (cause) {
      throw malformed(`${key}: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
    }
  }
  return complete(draft);
}

/**
 * Write a `.narinfo` file, its lines in Nix's order.
 *
 * @throws {CodedError} `narinfo.malformed` when a field holds a line feed, or there is nothing to say of the archive
 */
export function formatNarInfo(info: NarInfo): string {
  const { fileHash, fileSize, deriver, ca } = info;
  const lines = [
    `StorePath: ${info.path}`,
    `URL: ${info.url}`,
    `Compression: ${info.compression}`,
    ...(fileHash === undefined ? [] : [`FileHash: ${formatHash(fileHash, "typed-base32")}`]),
    ...(fileSize === undefined ? [] : [`FileSize: ${fileSize}`]),
    `NarHash: ${formatHash(info.narHash, "typed-base32")}`,
    `NarSize: ${info.narSize}`,
    `References: ${sortedText(info.references).map(baseName).join(" ")}`,
    ...(deriver === undefined ? [] : [`Deriver: ${baseName(deriver)}`]),
    ...sortedText(new Set(info.signatures)).map((signature) => `Sig: ${signature}`),
    ...(ca === undefined ? [] : [`CA: ${ca}`]),
  ];
  const broken = lines.find((line) => line.includes("\n"));
  if (broken !== undefined) throw malformed(`found ${JSON.stringify(broken)}, expected values of one line`);
  if (info.url === "" || info.narSize < 1) throw malformed(`"${info.path}" has no archive`);
  return `${lines.join("\n")}\n`;
}

interface Draft {
  path?: StorePath;
  url?: string;
  compression?: string;
  fileHash?: Hash;
  fileSize?: number;
  narHash?: Hash;
  narSize?: number;
  references?: StorePath[];
  deriver?: StorePath;
  ca?: string;
  readonly signatures: Set<string>;
}

type Field = (draft: Draft, value: string, storeDirectory: string) => void;

const FIELDS: ReadonlyMap<string, Field> = new Map<string, Field>([
  ["StorePath", (draft, value, storeDirectory) => void (draft.path = parseStorePath(value, storeDirectory))],
  ["URL", (draft, value) => void (draft.url = value)],
  ["Compression", (draft, value) => void (draft.compression = value)],
  ["FileHash", (draft, value) => void (draft.fileHash = parseHash(value))],
  ["FileSize", (draft, value) => void (draft.fileSize = parseSize(value))],
  ["NarHash", (draft, value) => void (draft.narHash = parseHash(value))],
  ["NarSize", (draft, value) => void (draft.narSize = parseSize(value))],
  [
    "References",
    (draft, value, storeDirectory) => {
      if (draft.references !== undefined && draft.references.length > 0) throw new Error("it is there twice");
      const names = value.split(" ").filter((name) => name !== "");
      draft.references = sortedText(
        new Set(names.map((name) => storePathFromBaseName(name, storeDirectory))),
      ) as StorePath[];
    },
  ],
  [
    "Deriver",
    (draft, value, storeDirectory) => {
      if (value !== "unknown-deriver") draft.deriver = storePathFromBaseName(value, storeDirectory);
    },
  ],
  ["Sig", (draft, value) => void draft.signatures.add(value)],
  [
    "CA",
    (draft, value) => {
      if (draft.ca !== undefined) throw new Error("it is there twice");
      if (value !== "") draft.ca = formatContentAddress(parseContentAddress(value));
    },
  ],
]);

function complete(draft: Draft): NarInfo {
  const { path, url, narHash, narSize, fileHash, fileSize, deriver, ca } = draft;
  if (path === undefined) throw malformed("it does not say its StorePath");
  if (url === undefined || url === "") throw malformed(`"${path}" has no URL`);
  if (narHash === undefined) throw malformed(`"${path}" has no NarHash`);
  if (narHash.algorithm !== "sha256")
    throw malformed(`"${path}" has a NarHash of ${narHash.algorithm}, expected sha256`);
  if (narSize === undefined || narSize === 0) throw malformed(`"${path}" has no NarSize`);
  return {
    path,
    url,
    compression: draft.compression || COMPRESSION_UNSAID,
    narHash,
    narSize,
    references: draft.references ?? [],
    signatures: sortedText(draft.signatures),
    ...(fileHash === undefined ? {} : { fileHash }),
    ...(fileSize === undefined ? {} : { fileSize }),
    ...(deriver === undefined ? {} : { deriver }),
    ...(ca === undefined ? {} : { ca }),
  };
}

function parseSize(text: string): number {
  const size = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(size))
    throw new Error(`found "${text}", expected a number of bytes`);
  return size;
}

function baseName(path: string): string {
  return storePathBaseName(path as StorePath);
}

function malformed(found: string, cause?: unknown): CodedError {
  return new CodedError("narinfo.malformed", `Cannot read or write the narinfo: ${found}`, { cause });
}

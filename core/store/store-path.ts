import { BASE32_ALPHABET, type Branded, CodedError } from "../base/index.ts";

/** Where store objects lie by name, whatever the place on disk. It is hashed into every store path. */
export const STORE_DIRECTORY = "/nix/store";

/** Characters of a store path's digest: 160 bits in base 32. */
export const DIGEST_LENGTH = 32;

/** The longest name; leaves room for `.lock`, `.check`, `.chroot` within the 255 bytes of a file name. */
export const MAX_NAME_LENGTH = 211;

/**
 * The place of one store object: a direct child of the store directory.
 *
 * Shape: `<store directory>/<digest>-<name>`, where the digest is 32 base-32 characters (160 bits)
 * and the name has 1 to 211 of `A-Z a-z 0-9 + - . _ ? =`. {@link parseStorePath} and the `make…Path` family are the makers.
 *
 * Source: Nix manual, "Store Path".
 */
export type StorePath = Branded<string, "StorePath">;

const NAME = /^[0-9A-Za-z+._?=-]{1,211}$/;
/** `.`, `..` and what begins like them up to a dash, and a lone dash: accepted by some versions of Nix, refused by others. */
const RETIRED_NAME = /^(\.\.?(-|$)|-$)/;
const BASE_NAME = /^[0-9a-df-np-sv-z]{32}-[0-9A-Za-z+._?=-]{1,211}$/;

/**
 * Check the name of a store object to be made. Only names that old and current Nix both accept may be made.
 *
 * @throws {CodedError} `store-path.name`
 */
export function checkName(name: string): string {
  if (NAME.test(name) && !RETIRED_NAME.test(name)) return name;
  throw new CodedError("store-path.name", `Cannot name a store object "${name}": ${nameFault(name)}`, {
    hint: "Names have 1 to 211 characters from A-Z a-z 0-9 + - . _ ? = and do not begin with “.-” or “..-”.",
  });
}

function nameFault(name: string): string {
  if (name === "") return "the name is empty";
  if (name.length > MAX_NAME_LENGTH) return `it has ${name.length} characters, at most ${MAX_NAME_LENGTH} are allowed`;
  if (RETIRED_NAME.test(name)) return "versions of Nix disagree on this name";
  return `the character ${JSON.stringify(name.match(/[^0-9A-Za-z+._?=-]/u)?.[0])} is not allowed`;
}

/**
 * Read a store path from its absolute text form. Names only old Nix accepts can be read.
 *
 * @param text An absolute path, as printed by a command or read from a lock file.
 * @param storeDirectory The directory it has to lie in, without a final slash.
 * @throws {CodedError} `store-path.outside` when `text` is not a direct child of `storeDirectory`;
 *   `store-path.malformed` when its last part is not `<digest>-<name>`.
 */
export function parseStorePath(text: string, storeDirectory: string = STORE_DIRECTORY): StorePath {
  const path = tryParseStorePath(text, storeDirectory);
  if (path !== undefined) return path;
  const prefix = `${storeDirectory}/`;
  const base = text.slice(prefix.length);
  if (!text.startsWith(prefix) || base.includes("/")) {
    throw new CodedError(
      "store-path.outside",
      `Cannot read "${text}" as a store path: expected a direct child of "${storeDirectory}"`,
      {
        hint: "Pass the store object itself; keep the part after it as a separate relative path.",
      },
    );
  }
  throw new CodedError(
    "store-path.malformed",
    `Cannot read "${text}" as a store path: "${base}" is not a 32-character digest, "-" and a name`,
  );
}

/** Like {@link parseStorePath}, but `undefined` for anything that is no store path. */
export function tryParseStorePath(text: string, storeDirectory: string = STORE_DIRECTORY): StorePath | undefined {
  if (text.charCodeAt(storeDirectory.length) !== 0x2f || !text.startsWith(storeDirectory)) return undefined;
  return BASE_NAME.test(text.slice(storeDirectory.length + 1)) ? (text as StorePath) : undefined;
}

/** `<digest>-<name>` → store path. Errors as {@link parseStorePath}. */
export function storePathFromBaseName(baseName: string, storeDirectory: string = STORE_DIRECTORY): StorePath {
  return parseStorePath(`${storeDirectory}/${baseName}`, storeDirectory);
}

/** `<digest>-<name>`. */
export function storePathBaseName(path: StorePath): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The part after the digest: `hello-2.12`. */
export function storePathName(path: StorePath): string {
  return path.slice(path.lastIndexOf("/") + 1 + DIGEST_LENGTH + 1);
}

/** The 32 characters that identify a store object. */
export function storePathDigest(path: StorePath): string {
  const start = path.lastIndexOf("/") + 1;
  return path.slice(start, start + DIGEST_LENGTH);
}

export function isDerivationPath(path: StorePath): boolean {
  return path.endsWith(".drv");
}

/**
 * Split a path at or inside a store object: `/nix/store/x/y/z` → the store path of `x` and `/y/z` (empty for the object itself).
 *
 * @throws {CodedError} as {@link parseStorePath}.
 */
export function splitStorePath(
  text: string,
  storeDirectory: string = STORE_DIRECTORY,
): { path: StorePath; inner: string } {
  const start = storeDirectory.length + 1;
  const slash = text.indexOf("/", start);
  const end = slash < 0 ? text.length : slash;
  return { path: parseStorePath(text.slice(0, end), storeDirectory), inner: text.slice(end) };
}

/** A source text for regular expressions: one character of a digest. */
export const DIGEST_CHARACTER = `[${BASE32_ALPHABET}]`;

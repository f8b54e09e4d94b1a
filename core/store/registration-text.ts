import { CodedError, formatHash, type Hash, parseHash, sortedText } from "../base/index.ts";
import { parseStorePath, STORE_DIRECTORY, type StorePath } from "./store-path.ts";

/** What the registration text says of one object. */
export interface Registration {
  readonly path: StorePath;
  /** Absent in the short form. */
  readonly nar?: { readonly hash: Hash; readonly size: number } | undefined;
  readonly deriver?: StorePath | undefined;
  /** Sorted. */
  readonly references: readonly StorePath[];
}

/**
 * The text of `nix-store --dump-db` for one object; those of a store are written one behind the other, sorted by path.
 *
 * Shape, one per line: path, sha256 of the NAR in base 16, its size (both absent in the short form), the deriver or nothing,
 * the number of references, and each of them.
 */
export function formatRegistration({ path, nar, deriver = "" as StorePath, references }: Registration): string {
  const facts = nar === undefined ? [] : [formatHash(nar.hash, "base16"), String(nar.size)];
  return [path, ...facts, deriver, String(references.length), ...sortedText(references)]
    .map((line) => `${line}\n`)
    .join("");
}

export interface ParseRegistrationsOptions {
  /** Whether each object has lines for hash and size, as in `--load-db`. Default true. */
  readonly hashGiven?: boolean;
  /** Default `/nix/store`. */
  readonly storeDirectory?: string;
}

/**
 * Read registration text, one object after the other.
 *
 * @param lines Lines without their ends: `text.split("\n")`, or lines as they arrive. An empty one where a path could stand ends
 *   the text.
 * @throws {CodedError} `registration.malformed` with the number of the line.
 */
export function* parseRegistrations(
  lines: Iterable<string>,
  { hashGiven = true, storeDirectory = STORE_DIRECTORY }: ParseRegistrationsOptions = {},
): Generator<Registration> {
  const iterator = lines[Symbol.iterator]();
  let number = 0;
  const next = (): string | undefined => {
    number++;
    const step = iterator.next();
    return step.done === true ? undefined : step.value;
  };
  const read = <T>(what: string, parse: (line: string) => T, line: string | undefined = next()): T => {
    if (line === undefined) throw malformed(number, `the text ends, expected ${what}`);
    try {
      return parse(line);
    } catch (cause) {
      throw malformed(number, `found ${JSON.stringify(line.slice(0, 100))}, expected ${what}`, cause);
    }
  };
  const storePath = (line: string): StorePath => parseStorePath(line, storeDirectory);
  for (let line = next(); line !== undefined && line !== ""; line = next()) {
    const path = read("a store path", storePath, line);
    const nar = hashGiven
      ? {
          hash: read("the sha256 of the NAR", (text) => parseHash(text, "sha256")),
          size: read("the size of the NAR", wholeNumber),
        }
      : undefined;
    const deriver = read("a deriver or an empty line", (text) => (text === "" ? undefined : storePath(text)));
    const count = read("the number of references", wholeNumber);
    const references = new Set<StorePath>();
    for (let i = 0; i < count; i++) references.add(read("a reference", storePath));
    yield {
      path,
      references: sortedText(references) as StorePath[],
      ...(nar === undefined ? {} : { nar }),
      ...(deriver === undefined ? {} : { deriver }),
    };
  }
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(value)) throw new Error("not a whole number");
  return value;
}

function malformed(line: number, found: string, cause?: unknown): CodedError {
  return new CodedError("registration.malformed", `Cannot read the registration text: line ${line}: ${found}`, {
    cause,
  });
}

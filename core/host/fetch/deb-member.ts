import { createWriteStream } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { extract } from "tar-stream";
import { CodedError } from "../../base/index.ts";
import { parseAr } from "../../fetch/index.ts";
import { LARGEST_UNPACKED_BYTES, limited, withShortFacts } from "./limits.ts";
import { decompressXz } from "./xz.ts";

export interface FetchDebMemberOptions {
  /** Name of the derivation, for errors. */
  readonly name: string;
  /** The downloaded package. */
  readonly file: string;
  /** Path inside the package, `./bin/busybox`. */
  readonly member: string;
  /** The output to be made: the file itself, executable, or a directory that holds it at `path`. */
  readonly output: string;
  /** Relative place inside the output. Default: the output is the file. */
  readonly path?: string | undefined;
  /** The most that the package may unpack to, up to the member. Default 64 GiB. */
  readonly limitBytes?: number;
  /** The most that the member may have. Default 4 GiB. */
  readonly memberLimitBytes?: number;
}

const LARGEST_MEMBER_BYTES = 4 * 1024 ** 3;

/**
 * Take one regular file out of a Debian package. It needs no program, so it can give a machine its very first one.
 *
 * Nothing else of it is written, and nothing is held in memory; where the output goes there may be nothing yet.
 *
 * @throws {CodedError} `fetch.bad-archive`, `fetch.no-such-member`, `fetch.bad-path`, `fetch.too-large`
 */
export async function fetchDebMember({
  name,
  file,
  member,
  output,
  path: inner = "",
  limitBytes = LARGEST_UNPACKED_BYTES,
  memberLimitBytes = LARGEST_MEMBER_BYTES,
}: FetchDebMemberOptions): Promise<void> {
  if (inner.split("/").some((part) => part === "." || part === "..") || inner.startsWith("/")) {
    throw new CodedError(
      "fetch.bad-path",
      `Cannot place a file of "${name}" at "${inner}": expected a relative path inside the output`,
      { exitCode: 100 },
    );
  }
  const data = parseAr(await readFile(file)).find((each) => /^data\.tar(\.|$)/.test(each.name));
  if (data === undefined)
    throw new CodedError("fetch.bad-archive", `Cannot read the package "${name}": it has no data archive`, {
      exitCode: 100,
    });
  const wanted = normalise(member);
  const archive = extract();
  const what = `the package "${name}"`;
  const plain = decompress(data.name, Buffer.from(data.bytes.buffer, data.bytes.byteOffset, data.bytes.byteLength));
  const feeding = pipeline(withShortFacts(limited(plain, limitBytes, what), what), archive);
  // What went wrong is told where the entries are read.
  feeding.catch(() => {});
  const similar: string[] = [];
  try {
    for await (const entry of archive) {
      const path = normalise(entry.header.name);
      if (path === wanted && entry.header.type === "file") {
        const place = inner === "" ? output : `${output}/${inner}`;
        await mkdir(dirname(place), { recursive: true });
        if ((entry.header.size ?? 0) > memberLimitBytes) throw tooLarge(member, what, memberLimitBytes);
        await pipeline(entry, createWriteStream(place, { flags: "wx", mode: 0o755 }));
        return;
      }
      if (path.split("/").at(-1) === wanted.split("/").at(-1)) similar.push(`./${path} (${entry.header.type})`);
      entry.resume();
    }
  } catch (error) {
    if (error instanceof CodedError || (error as NodeJS.ErrnoException).syscall !== undefined) throw error;
    throw new CodedError("fetch.bad-archive", `Cannot unpack ${what}: ${(error as Error).message}`, {
      cause: error,
      exitCode: 100,
    });
  } finally {
    plain.destroy();
    archive.destroy();
  }
  throw new CodedError(
    "fetch.no-such-member",
    `Cannot take "${member}" out of the package "${name}": it has no such regular file`,
    {
      ...(similar.length > 0 ? { hint: `It has ${similar.join(", ")}.` } : {}),
      exitCode: 100,
    },
  );
}

function tooLarge(member: string, what: string, limitBytes: number): CodedError {
  return new CodedError(
    "fetch.too-large",
    `Cannot take "${member}" out of ${what}: expected at most ${limitBytes} bytes`,
    { exitCode: 100 },
  );
}

function normalise(path: string): string {
  return path.replace(/^(\.?\/)+/, "").replace(/\/+$/, "");
}

function decompress(name: string, bytes: Buffer): Readable {
  if (name.endsWith(".xz")) return decompressXz(Readable.from([bytes]));
  if (name.endsWith(".zst")) return Readable.from([bytes]).pipe(createZstdDecompress());
  if (name.endsWith(".gz")) return Readable.from([bytes]).pipe(createGunzip());
  if (name.endsWith(".tar")) return Readable.from([bytes]);
  throw new CodedError(
    "fetch.bad-archive",
    `Cannot read the package's "${name}": its compression is unknown, expected xz, zst, gz or none`,
    { exitCode: 100 },
  );
}

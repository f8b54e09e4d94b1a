import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { extract } from "tar-stream";
import { CodedError } from "../../base/index.ts";
import { parseAr } from "../../fetch/index.ts";
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
}

/**
 * Take one regular file out of a Debian package. It needs no program, so it can give a machine its very first one.
 *
 * @throws {CodedError} `fetch.bad-archive`, `fetch.no-such-member`, `fetch.bad-path`
 */
export async function fetchDebMember({
  name,
  file,
  member,
  output,
  path: inner = "",
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
  const plain = decompress(data.name, Buffer.from(data.bytes.buffer, data.bytes.byteOffset, data.bytes.byteLength));
  plain.on("error", (error) => archive.destroy(error));
  plain.pipe(archive);
  const similar: string[] = [];
  for await (const entry of archive) {
    const path = normalise(entry.header.name);
    if (path === wanted && entry.header.type === "file") {
      const chunks: Buffer[] = [];
      for await (const chunk of entry) chunks.push(chunk as Buffer);
      const place = inner === "" ? output : `${output}/${inner}`;
      await mkdir(dirname(place), { recursive: true });
      await writeFile(place, Buffer.concat(chunks), { mode: 0o755 });
      plain.destroy();
      return;
    }
    if (path.split("/").at(-1) === wanted.split("/").at(-1)) similar.push(`./${path} (${entry.header.type})`);
    entry.resume();
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

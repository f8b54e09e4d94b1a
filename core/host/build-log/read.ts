import { spawnSync } from "node:child_process";
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { createZstdDecompress } from "node:zlib";
import { CodedError } from "../../base/index.ts";
import { logPathOf } from "./path.ts";

/** What reading a log needs of a store. */
export interface LogPlace {
  readonly logDirectory: string;
}

/**
 * The log of a derivation's last build: bytes as the builder wrote them; `undefined` when there is none. Of a build that
 * still runs it is what has reached the disk. Logs written by Nix are read as well.
 *
 * @throws {CodedError} `build-log.unreadable`
 */
export async function readBuildLog(store: LogPlace, drvPath: string): Promise<Buffer | undefined> {
  const path = logPathOf(store.logDirectory, drvPath);
  if (existsSync(`${path}.zst`)) return readZstd(`${path}.zst`);
  if (existsSync(`${path}.bz2`)) {
    const read = spawnSync("bzip2", ["-dc", `${path}.bz2`], { maxBuffer: 1 << 30 });
    if (read.status !== 0) {
      throw new CodedError(
        "build-log.unreadable",
        `Cannot read the build log "${path}.bz2": the program "bzip2" failed or is missing`,
      );
    }
    return read.stdout;
  }
  return existsSync(path) ? readFileSync(path) : undefined;
}

/** A file that ends in the middle of a frame gives what is there: its writer was killed, or still runs. */
async function readZstd(path: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const plain = createReadStream(path).pipe(createZstdDecompress());
  try {
    for await (const chunk of plain) chunks.push(chunk as Buffer);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "Z_BUF_ERROR" && code !== "ZSTD_error_srcSize_wrong" && chunks.length === 0) {
      throw new CodedError("build-log.unreadable", `Cannot read the build log "${path}": it is not zstd data`, {
        cause: error,
      });
    }
  }
  return Buffer.concat(chunks);
}

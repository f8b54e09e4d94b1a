import { spawn } from "node:child_process";
import { Duplex } from "node:stream";
import { constants, createBrotliCompress, createGzip } from "node:zlib";
import { CodedError } from "../../base/index.ts";
import { findProgram } from "../process/index.ts";
import type { Compression } from "./compression.ts";
import { compressInFrames } from "./zstd-frames.ts";

const PIECE_BYTES = 256 * 1024;

/** Levels that are meant when none is said. xz and bzip2 have their own. */
const LEVELS = { zstd: 3, gzip: 6, br: 5 } as const;

/** A step of a pipeline of streams. */
export type Compressor = Duplex | ((pieces: AsyncIterable<Uint8Array>) => AsyncGenerator<Uint8Array>);

/**
 * Something that compresses what is written to it; `undefined` for no compression.
 *
 * @param level In the compression's own numbers; default as its program has it.
 * @throws {CodedError} `cache.compression-unsupported`
 */
export function makeCompressor(compression: Compression, level: number | undefined): Compressor | undefined {
  switch (compression) {
    case "none":
      return undefined;
    case "zstd":
      return (pieces) => compressInFrames(pieces, level ?? LEVELS.zstd);
    case "gzip":
      return createGzip({ chunkSize: PIECE_BYTES, level: level ?? LEVELS.gzip });
    case "br":
      return createBrotliCompress({
        chunkSize: PIECE_BYTES,
        params: { [constants.BROTLI_PARAM_QUALITY]: level ?? LEVELS.br },
      });
    case "xz":
    case "bzip2":
      return throughProgram(compression, level);
    case "lzip":
    case "lz4":
      throw unsupported(compression, "it can only be read");
  }
}

function throughProgram(name: "xz" | "bzip2", level: number | undefined): Duplex {
  const program = findProgram(name);
  if (program === undefined) throw unsupported(name, "there is no such program");
  const child = spawn(program, ["-c", ...(level === undefined ? [] : [`-${level}`])], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  // Only bytes whose program ended well count as the whole.
  const output = async function* (): AsyncGenerator<Uint8Array> {
    const closed = new Promise<number | null>((resolve, reject) => child.on("close", resolve).on("error", reject));
    closed.catch(() => {});
    try {
      yield* child.stdout;
      const code = await closed;
      if (code !== 0) throw new Error(`${name} ended with ${code}`);
    } finally {
      child.kill("SIGKILL");
    }
  };
  return Duplex.from({ writable: child.stdin, readable: output() });
}

function unsupported(name: Compression, found: string): CodedError {
  return new CodedError("cache.compression-unsupported", `Cannot compress with ${name}: ${found}`, {
    hint: "zstd, gzip, br and none are always there.",
  });
}

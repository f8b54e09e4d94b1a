import { spawn } from "node:child_process";
import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ReadableStream } from "node:stream/web";
import { createBrotliDecompress, createGunzip, createZstdDecompress } from "node:zlib";
import { CodedError } from "../../base/index.ts";
import { findProgram } from "../process/index.ts";
import { type Compression, detectCompression, MAGIC_BYTES, malformedArchive } from "./compression.ts";
import { ZstdUnpacker } from "./zstd-unpacker.ts";

/**
 * Each piece of Node's streams costs a turn of the thread pool: 300 MB took 3.5 s in pieces of 64 KiB, 2.3 s of 128 KiB, 2.0 s of
 * 256 KiB and 2.3 s of 1 MiB. Small archives get by with less.
 */
const LARGEST_PIECE = 256 * 1024;
const SMALLEST_PIECE = 4 * 1024;
/** What a decompressing program may take; the largest dictionaries in use need a tenth of it. */
const PROGRAM_MEMORY = "1GiB";

export interface DecompressOptions {
  /** Whether a piece, of either side, has to hold only until the next one is asked for, so that its memory may be used again. Default false. */
  readonly reuse?: boolean;
}

/**
 * The content of a compressed file, as it comes.
 *
 * @param compression What the narinfo says, which may be wrong; see {@link detectCompression}.
 * @param sizeBytes What the content should have. More is an error as soon as it appears, so nothing can blow up.
 * @throws {CodedError} `cache.compression-malformed`, `cache.compression-unsupported`, `store.nar-mismatch` for too much
 */
export async function* decompress(
  pieces: AsyncIterable<Uint8Array>,
  compression: string,
  sizeBytes: number,
  { reuse = false }: DecompressOptions = {},
): AsyncGenerator<Uint8Array> {
  const source = pieces[Symbol.asyncIterator]();
  try {
    const head = await readHead(source);
    const found = detectCompression(compression, head[0] ?? new Uint8Array(0));
    const whole = reuse ? resumedOneByOne(head, source) : resumed(head, source);
    let size = 0;
    for await (const piece of DECODERS[found](whole, sizeBytes, reuse)) {
      size += piece.length;
      if (size > sizeBytes) {
        throw new CodedError(
          "store.nar-mismatch",
          `Cannot unpack the archive: found more than the ${sizeBytes} bytes it should have`,
        );
      }
      yield piece;
    }
  } finally {
    await source.return?.();
  }
}

type Decoder = (pieces: AsyncGenerator<Uint8Array>, sizeBytes: number, reuse: boolean) => AsyncIterable<Uint8Array>;

const DECODERS: Readonly<Record<Compression, Decoder>> = {
  none: (pieces) => pieces,
  gzip: (pieces, size, reuse) =>
    through(kept(pieces, reuse), "gzip", () => createGunzip({ chunkSize: pieceSize(size) })),
  br: (pieces, size, reuse) =>
    through(kept(pieces, reuse), "br", () => createBrotliDecompress({ chunkSize: pieceSize(size) })),
  zstd: throughZstd,
  xz: (pieces, _, reuse) =>
    throughProgram(
      kept(pieces, reuse),
      "xz",
      ["-dc", "-qq", `--memlimit-decompress=${PROGRAM_MEMORY}`],
      throughXzLibrary,
    ),
  bzip2: (pieces, _, reuse) => throughProgram(kept(pieces, reuse), "bzip2", ["-dc", "-q"], throughBzip2Library),
  lzip: (pieces, _, reuse) => throughProgram(kept(pieces, reuse), "lzip", ["-dc", "-q"]),
  lz4: (pieces, _, reuse) => throughProgram(kept(pieces, reuse), "lz4", ["-dc", "-q"]),
};

function pieceSize(sizeBytes: number): number {
  // One byte more than the whole, so that its end is seen in the same turn.
  return Math.max(SMALLEST_PIECE, Math.min(LARGEST_PIECE, sizeBytes + 1));
}

/** Enough of the beginning to tell what it is, as one piece. */
async function readHead(source: AsyncIterator<Uint8Array>): Promise<Uint8Array[]> {
  let head = new Uint8Array(0);
  while (head.length < MAGIC_BYTES) {
    const step = await source.next();
    if (step.done === true) break;
    // What is too short has to hold while the next is asked for.
    const isEnough = head.length === 0 && step.value.length >= MAGIC_BYTES;
    head = isEnough ? (step.value as Uint8Array<ArrayBuffer>) : Buffer.concat([head, step.value]);
  }
  return head.length === 0 ? [] : [head];
}

/** The pieces from the beginning, one asked for ahead: it comes while the last one is being unpacked. */
async function* resumed(head: Uint8Array[], source: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  let next = source.next();
  // Told when it is waited for, if it still is.
  next.catch(() => {});
  yield* head;
  for (let step = await next; step.done !== true; step = await next) {
    next = source.next();
    next.catch(() => {});
    yield step.value;
  }
}

/** The pieces from the beginning, each asked for when it is needed: they do not hold any longer. */
async function* resumedOneByOne(head: Uint8Array[], source: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* head;
  for (let step = await source.next(); step.done !== true; step = await source.next()) yield step.value;
}

/** For decoders that work on a piece while the next one is asked for. */
async function* kept(pieces: AsyncIterable<Uint8Array>, reuse: boolean): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) yield reuse ? new Uint8Array(piece) : piece;
}

async function* throughZstd(
  pieces: AsyncGenerator<Uint8Array>,
  sizeBytes: number,
  reuse: boolean,
): AsyncGenerator<Uint8Array> {
  const unpacker = ZstdUnpacker.open(pieceSize(sizeBytes));
  if (unpacker === undefined)
    return yield* through(kept(pieces, reuse), "zstd", () => createZstdDecompress({ chunkSize: pieceSize(sizeBytes) }));
  try {
    for await (const piece of pieces)
      for (const part of unpacker.push(piece)) yield reuse ? part : new Uint8Array(part);
    unpacker.finish();
  } finally {
    unpacker.close();
  }
}

interface Counting extends Transform {
  /** Bytes of the input that were really used. */
  readonly bytesWritten: number;
}

/**
 * Run pieces through a decoder of Node. It stops at the end of a frame when more follows in the same piece (concatenated
 * zstd frames are common); a new one then goes on from there.
 */
async function* through(
  pieces: AsyncGenerator<Uint8Array>,
  name: Compression,
  makeDecoder: () => Counting,
): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array | undefined;
  do {
    const decoder = makeDecoder();
    const feed = feedDecoder(decoder, pieces, rest);
    try {
      for await (const piece of decoder) yield piece as Uint8Array;
      rest = await feed;
    } catch (cause) {
      decoder.destroy();
      // What went wrong with the source is the source's to tell.
      await feed;
      throw malformedArchive(name, cause);
    } finally {
      decoder.destroy();
    }
  } while (rest !== undefined);
}

/** Give a decoder all it takes. What it leaves of the last piece, when it stopped before the end, comes back. */
async function feedDecoder(
  decoder: Counting,
  pieces: AsyncGenerator<Uint8Array>,
  first: Uint8Array | undefined,
): Promise<Uint8Array | undefined> {
  let given = 0;
  let last: Uint8Array = new Uint8Array(0);
  let settle: (goesOn: boolean) => void = () => {};
  let isClosed = false;
  decoder.on("error", () => {});
  const closed = new Promise<void>((resolve) =>
    decoder.on("close", () => {
      isClosed = true;
      settle(false);
      resolve();
    }),
  );
  const give = (piece: Uint8Array): Promise<boolean> => {
    last = piece;
    given += piece.length;
    return new Promise((resolve) => {
      settle = resolve;
      if (isClosed) resolve(false);
      else decoder.write(piece, () => resolve(decoder.bytesWritten === given && !decoder.destroyed));
    });
  };
  try {
    let goesOn = first === undefined || (await give(first));
    while (goesOn) {
      const step = await pieces.next();
      if (step.done === true) {
        decoder.end();
        await closed;
        break;
      }
      goesOn = await give(step.value);
    }
  } catch (error) {
    decoder.destroy(error as Error);
    throw error;
  }
  const left = given - decoder.bytesWritten;
  return left > 0 && left <= last.length ? last.subarray(last.length - left) : undefined;
}

/** Run pieces through a program, in a process of its own; through a library where the program is not installed. */
async function* throughProgram(
  pieces: AsyncGenerator<Uint8Array>,
  name: Compression,
  args: readonly string[],
  library?: (pieces: AsyncGenerator<Uint8Array>) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const program = findProgram(name);
  if (program === undefined) {
    if (library !== undefined) return yield* throughLibrary(library(pieces), name);
    throw new CodedError(
      "cache.compression-unsupported",
      `Cannot unpack the archive: it is compressed with ${name}, and there is no such program`,
      { hint: `Install the program \`${name}\`.` },
    );
  }
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  let words = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    words = `${words}${text}`.slice(0, 500);
  });
  const closed = new Promise<number | null>((resolve, reject) => {
    child.on("close", resolve);
    child.on("error", reject);
  });
  closed.catch(() => {});
  let failure: unknown;
  const fed = pipeline(pieces, child.stdin).catch((error: unknown) => {
    // A program that gives up closes its input; what it says is the better reason.
    if ((error as NodeJS.ErrnoException).code === "EPIPE") return;
    failure = error;
    child.kill("SIGKILL");
  });
  try {
    for await (const piece of child.stdout) yield piece as Uint8Array;
    const code = await closed;
    await fed;
    if (failure !== undefined) throw failure;
    if (code !== 0) throw malformedArchive(name, new Error(words.trim() || `${name} ended with ${code}`));
  } finally {
    child.kill("SIGKILL");
  }
}

async function* throughLibrary(contents: AsyncIterable<Uint8Array>, name: Compression): AsyncGenerator<Uint8Array> {
  try {
    yield* contents;
  } catch (cause) {
    throw cause instanceof CodedError ? cause : malformedArchive(name, cause);
  }
}

async function* throughXzLibrary(pieces: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { default: xz } = await import("xz-decompress");
  // Streams of the web throughout: Node's own, turned into one, cannot be given up half-way. The library declares the
  // stream types of the DOM, which these fulfil.
  yield* new xz.XzReadableStream(ReadableStream.from(pieces) as never) as unknown as AsyncIterable<Uint8Array>;
}

async function* throughBzip2Library(pieces: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { default: unbzip2 } = await import("unbzip2-stream");
  const source = Readable.from(pieces, { objectMode: false });
  const decoder = unbzip2();
  const contents = new Readable().wrap(decoder);
  for (const stream of [source, decoder]) stream.on("error", (error: Error) => contents.destroy(error));
  source.pipe(decoder as NodeJS.WritableStream);
  yield* contents;
}

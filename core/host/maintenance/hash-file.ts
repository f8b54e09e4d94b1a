import { hash } from "node:crypto";
import { closeSync, constants, openSync, readSync, type Stats } from "node:fs";
import { dumpFileNar } from "../../store/index.ts";
import { hostPath, isExecutable } from "../files/index.ts";

/** Larger files take so long to read that what is saved here does not count. */
const MOST_BYTES = 64 * 1024;
/** Bytes of a number, and of the string `)`, in an archive. */
const NUMBER_BYTES = 8;
const CLOSE_BYTES = 16;

/** What comes before the size of a file in its archive, what comes after its contents, and room for all of it. */
interface Frame {
  readonly buffer: Buffer;
  readonly start: number;
  readonly close: Uint8Array;
}

const frames = [false, true].map(makeFrame) as [Frame, Frame];

function makeFrame(executable: boolean): Frame {
  const empty = dumpFileNar(new Uint8Array(), executable);
  const start = empty.length - CLOSE_BYTES - NUMBER_BYTES;
  const buffer = Buffer.alloc(empty.length + MOST_BYTES + NUMBER_BYTES);
  buffer.set(empty);
  return { buffer, start, close: empty.slice(-CLOSE_BYTES) };
}

/**
 * Hash the archive of a store object that is one small file: most objects of a store (derivations, patches, configuration) are, and
 * a walk over a tree costs several times what reading and hashing such a file takes.
 *
 * @returns `undefined` for a file that is not small, or that changes meanwhile: a walk over it finds the right words.
 */
export function hashSmallFile(path: string, stat: Stats): { digest: Uint8Array; sizeBytes: number } | undefined {
  const { size } = stat;
  if (!stat.isFile() || size > MOST_BYTES) return undefined;
  const { buffer, start, close } = frames[isExecutable(stat) ? 1 : 0];
  buffer.writeUInt32LE(size, start);
  let end = start + NUMBER_BYTES;
  if (size > 0) {
    const fd = openSync(hostPath(path), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      if (readSync(fd, buffer, end, size, null) !== size) return undefined;
    } finally {
      closeSync(fd);
    }
    end += size;
    // Contents are filled up with zeros.
    while ((end - start) % NUMBER_BYTES !== 0) buffer[end++] = 0;
  }
  buffer.set(close, end);
  const sizeBytes = end + CLOSE_BYTES;
  return { digest: hash("sha256", buffer.subarray(0, sizeBytes), "buffer"), sizeBytes };
}

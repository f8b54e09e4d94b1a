import { CodedError } from "../../base/index.ts";
import { withDeadline } from "./deadline.ts";

export interface GuardArchiveOptions {
  /** For errors. */
  readonly path: string;
  /** What the archive has by its description. */
  readonly sizeBytes: number;
  /** Longest time between two pieces. */
  readonly stallTimeoutMs: number;
}

/**
 * Pass an archive on as long as it keeps to its description: a compressed file may unfold without end, and a connection may
 * be open without bringing anything.
 *
 * @throws {CodedError} `substitute.too-long`, `substitute.stalled`
 */
export async function* guardArchive(
  pieces: AsyncIterable<Uint8Array>,
  { path, sizeBytes, stallTimeoutMs }: GuardArchiveOptions,
): AsyncGenerator<Uint8Array> {
  const iterator = pieces[Symbol.asyncIterator]();
  let done = false;
  let total = 0;
  try {
    for (;;) {
      const next = await withDeadline(Promise.resolve(iterator.next()), stallTimeoutMs, `the archive of "${path}"`);
      if (next.done === true) {
        done = true;
        return;
      }
      total += next.value.length;
      if (total > sizeBytes) {
        throw new CodedError(
          "substitute.too-long",
          `Cannot fetch "${path}": its archive goes on beyond the ${sizeBytes} bytes it is said to have`,
        );
      }
      yield next.value;
    }
  } finally {
    // A stalled source may never answer, so nobody waits for it.
    if (!done) void Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

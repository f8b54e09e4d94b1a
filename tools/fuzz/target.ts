import type { Random } from "./random.ts";

/** A reader that is fed with damaged input. */
export interface Target {
  /** A valid input, small, another one each time. */
  sample(random: Random): Uint8Array | Promise<Uint8Array>;
  /** Pieces that are put in as they are: tokens and keywords of the format. */
  readonly words?: readonly Uint8Array[];
  /**
   * Read an input, and check all that must hold of what comes out.
   *
   * @param random Decides what the input does not, such as the sizes of pieces.
   * @throws A `CodedError` when the input is refused, which is well; anything else is a fault.
   */
  check(input: Uint8Array, random: Random): void | Promise<void>;
  /** Called once at the end. */
  close?(): void;
}

/** A property that does not hold. */
export class Fault extends Error {
  override readonly name = "Fault";
}

/** @throws {Fault} */
export function expect(holds: boolean, what: string): void {
  if (!holds) throw new Fault(what);
}

/** @throws {Fault} with both texts when they differ. */
export function expectSame(found: string, expected: string, what: string): void {
  if (found !== expected)
    throw new Fault(`${what}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`);
}

/** The input in pieces of one random size. */
export function* inPieces(input: Uint8Array, random: Random): Generator<Uint8Array> {
  const size = random.chance(2) ? Math.max(1, input.length) : 1 + random.size(40);
  for (let at = 0; at < input.length; at += size) yield input.subarray(at, at + size);
}

export async function* later(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

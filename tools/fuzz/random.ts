/** Numbers that look random and are the same for the same seed. Source: xoshiro128**. */
export class Random {
  readonly #state: Uint32Array;

  /** One source for each case, so that any case can be repeated alone. */
  constructor(seed: number, target: string, index: number) {
    this.#state = Uint32Array.from([seed, index, seed ^ 0x9e3779b9, index ^ 0x243f6a88]);
    for (const character of target)
      this.#state[0] = Math.imul((this.#state[0] as number) ^ character.charCodeAt(0), 16777619);
    for (let i = 0; i < 16; i++) this.#next();
  }

  #next(): number {
    const s = this.#state as Uint32Array & { 0: number; 1: number; 2: number; 3: number };
    const result = Math.imul(rotate(Math.imul(s[1], 5), 7), 9) >>> 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 11);
    return result;
  }

  /** A whole number from 0 up to, but not including, `end`. */
  below(end: number): number {
    return this.#next() % end;
  }

  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  bytes(size: number): Uint8Array {
    return Uint8Array.from({ length: size }, () => this.below(256));
  }

  /** Mostly small, sometimes up to `most`. */
  size(most: number): number {
    return this.below(this.pick([2, 4, 9, most + 1]));
  }
}

function rotate(value: number, bits: number): number {
  return ((value << bits) | (value >>> (32 - bits))) >>> 0;
}

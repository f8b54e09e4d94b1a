/** Stands for `node:crypto` inside: hashes, and nothing else of it. */
import { hash as hashInto } from "floe:host";

const DIGEST_SIZE_BYTES: Readonly<Record<string, number>> = { md5: 16, sha1: 20, sha256: 32, sha512: 64 };

class Hasher {
  readonly #algorithm: string;
  #parts: Uint8Array[] = [];

  constructor(algorithm: string) {
    this.#algorithm = algorithm;
  }

  update(data: Uint8Array | string): this {
    if (typeof data === "string") this.#parts.push(new TextEncoder().encode(data));
    // A copy, because the caller may go on writing into its buffer.
    else if (data instanceof Uint8Array) this.#parts.push(data.slice());
    else throw new TypeError("Cannot hash this value: expected a Uint8Array or a text");
    return this;
  }

  digest(): Uint8Array {
    return digestOf(this.#algorithm, this.#joined());
  }

  #joined(): Uint8Array {
    const [first] = this.#parts;
    if (this.#parts.length === 1 && first !== undefined) return first;
    const whole = new Uint8Array(this.#parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    this.#parts = [whole];
    return whole;
  }
}

export function createHash(algorithm: string): Hasher {
  checkAlgorithm(algorithm);
  return new Hasher(algorithm);
}

/** The digest of bytes, or of the UTF-8 of a text without lone surrogates. */
export function hash(algorithm: string, data: Uint8Array | string): Uint8Array {
  checkAlgorithm(algorithm);
  return digestOf(algorithm, data);
}

function digestOf(algorithm: string, data: Uint8Array | string): Uint8Array {
  const digest = new Uint8Array(DIGEST_SIZE_BYTES[algorithm] as number);
  if (!hashInto(algorithm, data, digest)) throw new TypeError(`Cannot hash with "${algorithm}"`);
  return digest;
}

function checkAlgorithm(algorithm: string): void {
  if (!Object.hasOwn(DIGEST_SIZE_BYTES, algorithm))
    throw new TypeError(`Cannot hash with "${algorithm}": expected md5, sha1, sha256 or sha512`);
}

import { QemuError } from "../errors.ts";

/** How well a cable does. Each figure counts for both directions; a cable without any is perfect. */
export interface LinkQuality {
  /** How long a frame is under way, in milliseconds of the host. */
  readonly delayMs?: number;
  /** A random time of up to so many milliseconds is added for each frame, which may overtake others. */
  readonly jitterMs?: number;
  /** Share of the frames that get lost, from 0 to 1. */
  readonly loss?: number;
  /** Share of the frames that arrive twice, from 0 to 1. */
  readonly duplicate?: number;
  /** How much goes through; what would wait for more than {@link LONGEST_QUEUE_MS} is lost. */
  readonly bytesPerSecond?: number;
}

/** What a slow cable keeps waiting. */
export const LONGEST_QUEUE_MS = 1000;

/** Frames that may be under way in one direction; a long delay must not become the memory of the host. */
const MOST_WAITING = 16_384;

/** @throws {QemuError} `network.quality` for a figure that means nothing. */
export function checkQuality(quality: LinkQuality): LinkQuality {
  const { delayMs = 0, jitterMs = 0, loss = 0, duplicate = 0, bytesPerSecond = 1 } = quality;
  const check = (name: keyof LinkQuality, good: boolean, expected: string): void => {
    if (good) return;
    throw new QemuError(
      "network.quality",
      `Cannot set the quality of a link: found ${name} ${quality[name]}, expected ${expected}`,
    );
  };
  check("delayMs", delayMs >= 0 && delayMs < Infinity, "milliseconds");
  check("jitterMs", jitterMs >= 0 && jitterMs < Infinity, "milliseconds");
  check("loss", loss >= 0 && loss <= 1, "a share from 0 to 1");
  check("duplicate", duplicate >= 0 && duplicate <= 1, "a share from 0 to 1");
  check("bytesPerSecond", bytesPerSecond > 0, "a number of bytes above 0");
  return quality;
}

export interface LinkOptions {
  /** Numbers from 0 up to 1. */
  readonly random: () => number;
  readonly deliver: (frame: Buffer) => void;
}

interface Waiting {
  readonly dueMs: number;
  readonly frame: Buffer;
}

/** One direction of a cable: takes frames, and delivers them late, twice or never. */
export class Link {
  quality: LinkQuality = {};
  readonly #random: () => number;
  readonly #deliver: (frame: Buffer) => void;
  /** By the time they are due, the earliest first. */
  readonly #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** When a cable of limited speed has sent what it was given. */
  #freeAtMs = 0;
  #lost = 0;

  constructor({ random, deliver }: LinkOptions) {
    this.#random = random;
    this.#deliver = deliver;
  }

  /** Frames lost so far. */
  get lost(): number {
    return this.#lost;
  }

  send(frame: Buffer): void {
    const nowMs = performance.now();
    for (const dueMs of this.#plan(frame.length, nowMs)) {
      if (dueMs <= nowMs && this.#waiting.length === 0) this.#deliver(frame);
      // The bytes lie in the buffer that was read, which a frame that waits must not keep alive.
      else this.#add({ dueMs, frame: Buffer.from(frame) });
    }
  }

  /** Forget what is under way. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting.length = 0;
    this.#freeAtMs = 0;
  }

  /** When a frame arrives: no time when it is lost, two when it is doubled. */
  #plan(sizeBytes: number, nowMs: number): readonly number[] {
    const { delayMs = 0, jitterMs = 0, loss = 0, duplicate = 0, bytesPerSecond } = this.quality;
    if (this.#waiting.length >= MOST_WAITING) return this.#lose();
    if (loss > 0 && this.#random() < loss) return this.#lose();
    let sentMs = nowMs;
    if (bytesPerSecond !== undefined) {
      const beginMs = Math.max(nowMs, this.#freeAtMs);
      if (beginMs - nowMs > LONGEST_QUEUE_MS) return this.#lose();
      sentMs = beginMs + (sizeBytes * 1000) / bytesPerSecond;
      this.#freeAtMs = sentMs;
    }
    const copies = duplicate > 0 && this.#random() < duplicate ? 2 : 1;
    return Array.from({ length: copies }, () => sentMs + delayMs + (jitterMs > 0 ? this.#random() * jitterMs : 0));
  }

  #lose(): readonly number[] {
    this.#lost++;
    return [];
  }

  #add(waiting: Waiting): void {
    let at = this.#waiting.length;
    while (at > 0 && (this.#waiting[at - 1] as Waiting).dueMs > waiting.dueMs) at--;
    this.#waiting.splice(at, 0, waiting);
    if (at === 0) this.#wake();
  }

  #wake(): void {
    clearTimeout(this.#timer);
    const first = this.#waiting[0];
    if (first === undefined) return;
    this.#timer = setTimeout(() => this.#deliverDue(), Math.max(0, first.dueMs - performance.now()));
  }

  #deliverDue(): void {
    const nowMs = performance.now();
    const later = this.#waiting.findIndex(({ dueMs }) => dueMs > nowMs);
    const due = this.#waiting.splice(0, later < 0 ? this.#waiting.length : later);
    for (const { frame } of due) this.#deliver(frame);
    this.#wake();
  }
}

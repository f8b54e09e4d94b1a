import { mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { CodedError } from "../../base/index.ts";
import {
  type BuildJob,
  declaredMemory,
  formatMemoryRecord,
  type MemoryRecord,
  memoryKey,
  parseMemoryRecord,
  withPeak,
} from "../../build/index.ts";
import type { Derivation } from "../../derivation/index.ts";
import { writeFileAtomic } from "../files/index.ts";

/** How much memory builds need: as they say, else as much as the last one of that name. */
export class PeakMemory {
  readonly #file: string;
  #known: MemoryRecord | undefined;
  readonly #seen = new Map<string, number>();

  constructor(stateDirectory: string) {
    this.#file = `${stateDirectory}/floe/build-memory.json`;
  }

  /** In bytes; 0 when nobody knows. */
  of({ drv }: Pick<BuildJob, "drv">): number {
    try {
      const declared = declaredMemory(drv);
      if (declared !== undefined) return declared;
    } catch (error) {
      // The build itself is to fail for that.
      if (!(error instanceof CodedError)) throw error;
      return 0;
    }
    this.#known ??= this.#read();
    return this.#known.get(memoryKey(drv)) ?? 0;
  }

  note(drv: Derivation, peakBytes: number | undefined): void {
    if (peakBytes !== undefined) this.#seen.set(memoryKey(drv), peakBytes);
  }

  /** Write down what was noted. Others may have written meanwhile; what they say of other builds is kept. */
  save(): void {
    if (this.#seen.size === 0) return;
    const before = this.#read();
    let after = before;
    for (const [key, bytes] of this.#seen) after = withPeak(after, key, bytes);
    this.#seen.clear();
    const text = formatMemoryRecord(after);
    if (text === formatMemoryRecord(before)) return;
    try {
      mkdirSync(dirname(this.#file), { recursive: true });
      writeFileAtomic(this.#file, text);
    } catch {
      // It only helps to guess; a full disk is told by those who need it.
    }
  }

  #read(): MemoryRecord {
    try {
      return parseMemoryRecord(readFileSync(this.#file, "utf8"));
    } catch {
      return new Map();
    }
  }
}

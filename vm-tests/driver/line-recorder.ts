import { StringDecoder } from "node:string_decoder";
import { setTimeout as sleep } from "node:timers/promises";

/** Bytes of one boot's console or journal, kept as lines. */
export class LineRecorder {
  readonly #decoder = new StringDecoder("utf8");
  readonly #listeners = new Set<(line: string) => void>();
  readonly #lines: string[] = [];
  #rest = "";

  /** Take bytes as they come; whole lines reach the listeners. */
  push(data: Buffer): void {
    const parts = (this.#rest + this.#decoder.write(data)).split("\n");
    this.#rest = parts.pop() ?? "";
    for (const part of parts) {
      const line = clean(part);
      this.#lines.push(line);
      for (const listener of [...this.#listeners]) listener(line);
    }
  }

  /** All lines so far; the last may be incomplete. */
  lines(): readonly string[] {
    return this.#rest === "" ? this.#lines : [...this.#lines, clean(this.#rest)];
  }

  text(): string {
    return this.lines()
      .map((line) => `${line}\n`)
      .join("");
  }

  /** The last lines that say something. */
  last(count: number): readonly string[] {
    return this.lines()
      .filter((line) => line.trim() !== "")
      .slice(-count);
  }

  /** First line that a pattern is found in. */
  find(pattern: RegExp | string): string | undefined {
    return this.lines().find((line) =>
      typeof pattern === "string" ? line.includes(pattern) : line.search(pattern) >= 0,
    );
  }

  /** Wait for a line from now on that has this text in it; gives up in silence after that time, or when `signal` says so. */
  async next(text: string, milliseconds: number, signal: AbortSignal): Promise<void> {
    const found = new AbortController();
    const stop = this.onLine((line) => {
      if (line.includes(text)) found.abort();
    });
    try {
      await sleep(milliseconds, undefined, { signal: AbortSignal.any([found.signal, signal]) });
    } catch {
      // Either it was found, or there is nothing to wait for any more.
    } finally {
      stop();
    }
  }

  /** Call `listener` for every whole line from now on; the result ends that. */
  onLine(listener: (line: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** Terminal control (colours, cursor movement) and carriage returns are for screens, not for records. */
function clean(line: string): string {
  return line
    .replace(/\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])/g, "")
    .replace(/[\x00-\x08\x0b-\x1f\x7f]/g, "");
}

import { StringDecoder } from "node:string_decoder";

/** Bytes of one boot's console or journal, kept as lines. */
export class LineRecorder {
  readonly #decoder = new StringDecoder("utf8");
  readonly #listeners = new Set<(line: string) => void>();
  readonly #changes = new Set<() => void>();
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
    for (const listener of [...this.#changes]) listener();
  }

  /** All lines so far; the last may be incomplete. */
  lines(): readonly string[] {
    return this.#rest === "" ? this.#lines : [...this.#lines, clean(this.#rest)];
  }

  /** What was said so far; it may go on in the middle of a line. */
  raw(): string {
    return [...this.#lines, this.#rest].join("\n");
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

  /** First line that a pattern is found in, of those from that index on. */
  find(pattern: RegExp | string, from = 0): string | undefined {
    const fits = (line: string): boolean =>
      typeof pattern === "string" ? line.includes(pattern) : line.search(pattern) >= 0;
    for (let at = from; at < this.#lines.length; at++) if (fits(this.#lines[at] as string)) return this.#lines[at];
    const last = clean(this.#rest);
    return this.#rest !== "" && fits(last) ? last : undefined;
  }

  /** The first line that a pattern is found in, of those that are yet to begin; rejects with the reason of `signal`. */
  awaitNew(pattern: RegExp | string, signal: AbortSignal): Promise<string> {
    return this.await(pattern, signal, this.lines().length);
  }

  /** The first line that a pattern is found in, now or later; rejects with the reason of `signal`. */
  await(pattern: RegExp | string, signal: AbortSignal, begin = 0): Promise<string> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        stop();
        reject(signal.reason);
      };
      let from = begin;
      const look = (): void => {
        const line = this.find(pattern, from);
        from = Math.max(from, this.#lines.length);
        if (line === undefined) return;
        stop();
        signal.removeEventListener("abort", abort);
        resolve(line);
      };
      // Also at every piece of a line: a prompt is one that does not end.
      const stop = this.onChange(look);
      if (signal.aborted) return abort();
      signal.addEventListener("abort", abort, { once: true });
      look();
    });
  }

  /** All lines from the first on, as they come, until `signal` says that there will be no more. */
  async *follow(signal: AbortSignal): AsyncGenerator<string, void> {
    for (let at = 0; ; ) {
      while (at < this.#lines.length) yield this.#lines[at++] as string;
      if (signal.aborted) return;
      await new Promise<void>((resolve) => {
        const end = (): void => {
          stop();
          signal.removeEventListener("abort", end);
          resolve();
        };
        const stop = this.onLine(end);
        signal.addEventListener("abort", end, { once: true });
      });
    }
  }

  /** Call `listener` after all bytes that come. */
  onChange(listener: () => void): () => void {
    this.#changes.add(listener);
    return () => this.#changes.delete(listener);
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

import { StringDecoder } from "node:string_decoder";

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

  /** Call `listener` for every whole line from now on; the result ends that. */
  onLine(listener: (line: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** Terminal control (colours, cursor movement) and carriage returns are for screens, not for records. */
function clean(line: string): string {
  return line
    .replace(/\x1b(?:\[[0-9;?]*[ -/]*[@-~]|[@-Z\\-_]|\][^\x07]*(?:\x07|\x1b\\))/g, "")
    .replace(/[\x00-\x08\x0b-\x1f\x7f]/g, "");
}

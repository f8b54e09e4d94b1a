/** What one piece of a builder's output means. */
export type LogItem =
  | { readonly kind: "line"; readonly text: string }
  | { readonly kind: "phase"; readonly phase: string };

/** Cuts output into lines, keeps the last ones, and reads what builders say about themselves (`@nix {…}` lines). */
export class LogLines {
  readonly #tailLength: number;
  readonly #emit: (item: LogItem) => void;
  readonly #tail: string[] = [];
  readonly #decoder = new TextDecoder();
  #rest = "";

  constructor(emit: (item: LogItem) => void, tailLength = 25) {
    this.#emit = emit;
    this.#tailLength = tailLength;
  }

  write(chunk: Buffer): void {
    const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split("\n");
    this.#rest = lines.pop() ?? "";
    // A builder that never ends its line must not fill the memory.
    if (this.#rest.length > 1 << 16) this.#rest = this.#rest.slice(-(1 << 12));
    for (const line of lines) this.#line(line);
  }

  end(): void {
    if (this.#rest !== "") this.#line(this.#rest);
    this.#rest = "";
  }

  /** The last lines, oldest first. */
  tail(): readonly string[] {
    return this.#tail;
  }

  #line(raw: string): void {
    if (raw.startsWith("@nix ")) {
      const phase = phaseOf(raw.slice("@nix ".length));
      if (phase !== undefined) this.#emit({ kind: "phase", phase });
      return;
    }
    const text = showLine(raw);
    this.#tail.push(text);
    if (this.#tail.length > this.#tailLength) this.#tail.shift();
    this.#emit({ kind: "line", text });
  }
}

function phaseOf(json: string): string | undefined {
  try {
    const said = JSON.parse(json) as { action?: unknown; phase?: unknown };
    return said.action === "setPhase" && typeof said.phase === "string" ? showLine(said.phase) : undefined;
  } catch {
    return undefined;
  }
}

const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** A line as a terminal would leave it: what follows the last carriage return, without control characters. */
function showLine(raw: string): string {
  const line = raw.replace(/\r+$/, "");
  return line
    .slice(line.lastIndexOf("\r") + 1)
    .replace(ESCAPES, "")
    .replace(CONTROLS, "");
}

/** What a block of lines that is redrawn in place needs. */
export interface LiveBlockOptions {
  readonly write: (text: string) => void;
  readonly columns: () => number;
  /** The lines as they are now; colours allowed. */
  readonly lines: () => readonly string[];
}

/** At most ten pictures a second: more cost time and nobody sees them. */
const REDRAW_MS = 100;
/** Elapsed times go on when nothing else happens. */
const TICK_MS = 1000;

const COLOR = /\u001b\[[0-9;]*m/g;

/**
 * Lines at the end of a terminal's text that are redrawn in place, while finished lines scroll past above them.
 *
 * The cursor rests at the start of the line below the block; nothing of the terminal's state is changed, so a killed
 * program leaves at worst the last picture.
 */
export class LiveBlock {
  readonly #options: LiveBlockOptions;
  #drawn = 0;
  #drawnAt = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #tick: NodeJS.Timeout;
  #closed = false;

  constructor(options: LiveBlockOptions) {
    this.#options = options;
    this.#tick = setInterval(() => this.changed(), TICK_MS).unref();
  }

  /** Put a line above the block, for good. */
  print(line: string): void {
    this.#options.write(`${this.#erase()}${line}\n`);
    this.changed();
  }

  /** Something in the lines is new; they are drawn soon. */
  changed(): void {
    if (this.#closed || this.#timer !== undefined) return;
    const wait = Math.max(0, this.#drawnAt + REDRAW_MS - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#draw();
    }, wait).unref();
  }

  /** Take the block away until something changes, for what others write to the same terminal. */
  clear(): void {
    this.#options.write(this.#erase());
  }

  /** Remove the block. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#tick);
    this.#options.write(this.#erase());
  }

  #draw(): void {
    this.#drawnAt = performance.now();
    const width = Math.max(20, this.#options.columns() - 1);
    const lines = this.#options.lines().map((line) => cut(line, width));
    const text = `${this.#erase()}${lines.map((line) => `${line}\n`).join("")}`;
    this.#drawn = lines.length;
    if (text !== "") this.#options.write(text);
  }

  /** Cursor to the block's first line, and everything from there on erased. */
  #erase(): string {
    const text = this.#drawn === 0 ? "" : `\u001b[${this.#drawn}A\r\u001b[J`;
    this.#drawn = 0;
    return text;
  }
}

/** Cut a line to a width, colours not counted; a cut line ends its colours. */
function cut(line: string, width: number): string {
  if (line.replace(COLOR, "").length <= width) return line;
  let shown = 0;
  let result = "";
  for (let i = 0; i < line.length && shown < width - 1; ) {
    COLOR.lastIndex = i;
    const color = COLOR.exec(line);
    if (color !== null && color.index === i) {
      result += color[0];
      i += color[0].length;
    } else {
      result += line[i];
      shown++;
      i++;
    }
  }
  return `${result}…${result.includes("\u001b[") ? "\u001b[0m" : ""}`;
}

/** A time for people: `0.4 s`, `12 s`, `3 min 05 s`, `1 h 02 min`. */
export function formatElapsed(elapsedMs: number): string {
  const seconds = elapsedMs / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (value: number): string => String(value).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor(whole / 60) % 60)} min`;
}

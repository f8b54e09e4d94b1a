/** A line that a terminal shows. */
export interface TerminalLine {
  readonly text: string;
  /** Whether something in it is dark on a light ground, as menus show what is chosen. */
  readonly highlighted: boolean;
}

/** Places that no terminal has are none here. */
const MOST_LINES = 200;
const MOST_COLUMNS = 400;

/** Black letters on a white ground, by their numbers in SGR. Source: ECMA-48, 8.3.117. */
const BLACK_LETTERS = 30;
const WHITE_GROUND = 47;

interface Cell {
  readonly character: string;
  readonly highlighted: boolean;
}

/**
 * What the other end of a serial line has drawn: as much of a terminal as the console of UEFI uses, which places the cursor, clears, and
 * colours. Source: ECMA-48; EDK II, TerminalDxe.
 */
export class TerminalScreen {
  #cells: Cell[][] = [];
  #line = 0;
  #column = 0;
  #letters = 0;
  #ground = 0;
  /** Bytes of a sequence whose end is yet to come. */
  #rest = "";

  /** Take bytes as they come. */
  push(data: Uint8Array): void {
    const text = this.#rest + Buffer.from(data).toString("latin1");
    this.#rest = "";
    for (let at = 0; at < text.length; ) {
      if (text[at] !== "\x1b") {
        this.#put(text[at++] as string);
        continue;
      }
      const sequence = /^\x1b(?:\[([=?]?[\d;]*)([@-~])|[^[])/.exec(text.slice(at, at + 32));
      if (sequence === null) {
        // Either it goes on in what comes next, or it is none.
        if (text.length - at < 32) {
          this.#rest = text.slice(at);
          return;
        }
        at++;
        continue;
      }
      this.#obey(sequence[2] ?? "", (sequence[1] ?? "").split(";").map(Number));
      at += sequence[0].length;
    }
  }

  /** The lines that show something, from the top. */
  lines(): TerminalLine[] {
    return this.#cells
      .map((cells) => ({
        text: Array.from(cells, (cell) => cell?.character ?? " ")
          .join("")
          .trim(),
        highlighted: cells.some((cell) => cell?.highlighted === true && cell.character !== " "),
      }))
      .filter(({ text }) => text !== "");
  }

  #put(character: string): void {
    if (character === "\n") this.#line = Math.min(this.#line + 1, MOST_LINES);
    else if (character === "\r") this.#column = 0;
    else if (character === "\b") this.#column = Math.max(this.#column - 1, 0);
    else if (character >= " ") {
      const highlighted = this.#letters === BLACK_LETTERS && this.#ground === WHITE_GROUND;
      this.#cells[this.#line] ??= [];
      (this.#cells[this.#line] as Cell[])[this.#column] = { character, highlighted };
      this.#column = Math.min(this.#column + 1, MOST_COLUMNS);
    }
  }

  #obey(command: string, [first = 0, second = 0]: readonly number[]): void {
    if (command === "H") {
      this.#line = Math.min(Math.max(first, 1) - 1, MOST_LINES);
      this.#column = Math.min(Math.max(second, 1) - 1, MOST_COLUMNS);
    } else if (command === "J" && first === 2) this.#cells = [];
    else if (command === "m") this.#colour(first);
  }

  #colour(number: number): void {
    if (number === 0) this.#letters = this.#ground = 0;
    else if (number >= 30 && number < 40) this.#letters = number;
    else if (number >= 40 && number < 50) this.#ground = number;
  }
}

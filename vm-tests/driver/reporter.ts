import { type RunEvent, type RunLog, showSeconds } from "./run-log.ts";

/** Where a report goes. */
export interface ReportStream {
  /** Write text as it is. */
  write(text: string): void;
  /** Lines may be redrawn in place. */
  readonly interactive: boolean;
  readonly color: boolean;
  columns(): number;
}

const REDRAW_MS = 500;

/** Shows a run (and which, by a label at each line) while it happens: one line per finished step, and on a terminal a live line for the one that is running. */
export class Reporter {
  readonly #stream: ReportStream;
  readonly #verbose: boolean;
  readonly #label: string;
  readonly #steps: { readonly name: string; readonly begin: number }[] = [];
  readonly #begin = performance.now();
  #activity = "";
  #live = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(stream: ReportStream, options: { readonly verbose?: boolean; readonly label?: string } = {}) {
    this.#stream = stream;
    this.#verbose = options.verbose === true;
    this.#label = options.label === undefined ? "" : `${options.label}: `;
    if (stream.interactive) {
      this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
      this.#timer.unref();
    }
  }

  /** Stop redrawing and leave the cursor on an empty line. */
  close(): void {
    clearInterval(this.#timer);
    this.#erase();
  }

  readonly log: RunLog = (event) => {
    this.#erase();
    this.#show(event);
    this.#draw();
  };

  #show(event: RunEvent): void {
    switch (event.kind) {
      case "run":
        this.#line(`vm-test ${event.name}: ${event.accelerator} (${event.reason})`);
        this.#line(this.#paint(2, `  record: ${event.folder}`));
        break;
      case "step-begin":
        this.#steps.push({ name: event.name, begin: performance.now() });
        this.#activity = "";
        if (!this.#stream.interactive) this.#line(`${indent(event.depth)}… ${event.name}`);
        break;
      case "step-end": {
        this.#steps.pop();
        const mark = event.ok ? this.#paint(32, "✓") : this.#paint(31, "✗");
        this.#line(`${indent(event.depth)}${mark} ${event.name} ${this.#paint(2, `(${showSeconds(event.seconds)})`)}`);
        break;
      }
      case "machine":
        this.#activity = `${event.machine} ${event.text}`;
        this.#line(this.#paint(2, `${indent(this.#steps.length)}${event.machine} ${event.text}`));
        break;
      case "command":
        this.#activity = `${event.machine}: ${event.command}`;
        if (this.#verbose)
          this.#line(
            this.#paint(
              2,
              `${indent(this.#steps.length)}${event.machine}$ ${oneLine(event.command)} → ${event.status} (${showSeconds(event.seconds)})`,
            ),
          );
        break;
      case "trouble":
        this.#line(`${indent(this.#steps.length)}${this.#paint(33, "!")} ${event.machine}: ${event.line}`);
        break;
      case "note":
        this.#line(`${indent(this.#steps.length)}${event.text}`);
        break;
      case "result":
        this.#line(
          `${event.ok ? this.#paint(32, "passed") : this.#paint(31, "failed")} in ${showSeconds(event.seconds)}`,
        );
        break;
    }
  }

  #draw(): void {
    const step = this.#steps.at(-1);
    if (!this.#stream.interactive || step === undefined) return;
    const seconds = Math.floor((performance.now() - step.begin) / 1000);
    const total = Math.floor((performance.now() - this.#begin) / 1000);
    const text = `${indent(this.#steps.length - 1)}… ${step.name} (${seconds} s of ${total} s) ${oneLine(this.#activity)}`;
    this.#stream.write(`\r\x1b[K${text.slice(0, Math.max(20, this.#stream.columns() - 1))}`);
    this.#live = true;
  }

  #erase(): void {
    if (this.#live) this.#stream.write("\r\x1b[K");
    this.#live = false;
  }

  #line(text: string): void {
    this.#stream.write(`${this.#label}${text}\n`);
  }

  #paint(code: number, text: string): string {
    return this.#stream.color ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}

function indent(depth: number): string {
  return "  ".repeat(depth + 1);
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, "; ");
}

import { oneLine, type RunEvent, RunView, showSeconds } from "../../../../../vm-tests/driver/index.ts";
import { LiveBlock } from "../../../ui/live-block.ts";
import type { RunReporter, RunSummary, TestEnd } from "./reporter.ts";

export interface TerminalReporterOptions {
  /** Write words for people as they are. */
  readonly write: (text: string) => void;
  /** Print a line of results. */
  readonly print: (line: string) => void;
  /** Show an error, over as many lines as it takes. */
  readonly showError: (error: Error) => string;
  /** Lines may be redrawn in place. */
  readonly interactive: boolean;
  readonly color: boolean;
  readonly columns: () => number;
  /** Show commands, too. */
  readonly verbose: boolean;
  /** Say nothing but errors and results. */
  readonly quiet: boolean;
  /** Several tests may run at once, so each line says whose it is. */
  readonly several: boolean;
}

/**
 * Shows people what happens: a line for each step that has ended, and on a terminal a tree of what is going on, with each machine's state, what
 * it uses and what it does.
 */
export class TerminalReporter implements RunReporter {
  readonly #options: TerminalReporterOptions;
  readonly #running = new Map<string, RunView>();
  readonly #block: LiveBlock | undefined;

  constructor(options: TerminalReporterOptions) {
    this.#options = options;
    const { write, columns, interactive, quiet } = options;
    if (!interactive || quiet) return;
    const lines = (): string[] => {
      const now = performance.now();
      return [...this.#running.values()].flatMap((view) => view.lines(now)).map((line) => this.#paint(2, line));
    };
    this.#block = new LiveBlock({ write, columns, lines });
  }

  begins(test: string, attempt: number): void {
    this.#running.set(test, new RunView(attempt === 1 ? test : `${test}, attempt ${attempt}`, performance.now()));
    this.#block?.changed();
  }

  entry(test: string, file: string, entry: object): void {
    const view = this.#running.get(test);
    if (view === undefined) return;
    const now = performance.now();
    const [machine = "", name] = file.split("/");
    if (name === "samples.ndjson") view.sample(machine, entry as Parameters<RunView["sample"]>[1], now);
    if (file === "events.ndjson") {
      const event = entry as RunEvent;
      const { depth } = view;
      view.take(event, now);
      this.#show(test, event, depth);
    }
    this.#block?.changed();
  }

  ends({ test, attempt, outcome, ofHost, isTriedAgain, seconds, folder, report, error, hostFaults }: TestEnd): void {
    this.#running.delete(test);
    if (error !== undefined) this.#say(this.#options.showError(error));
    // Said even where little is to be said: a host that fails by itself is nothing to get used to.
    if (ofHost) this.#say("what failed is this host, not what is tested");
    if (folder !== undefined) this.#line(`records: ${folder}`);
    if (report !== undefined) this.#line(`report: ${report}`);
    if (isTriedAgain) {
      const how = ofHost ? "ended by the host" : "failed";
      const again = ofHost ? "running it again, once" : "trying it again";
      return this.#line(`${how} ${test} (${showSeconds(seconds)}), attempt ${attempt}: ${again}`);
    }
    this.#block?.changed();
    if (outcome === "unchanged") return this.#result(`passed ${test} (unchanged)`);
    const tries = attempt === 1 ? "" : `, attempt ${attempt}`;
    const faults = hostFaults.map((fault) => `; attempt ${fault.number} was ended by the host: ${fault.error?.code}`);
    const by = ofHost ? ", by a fault of the host" : "";
    this.#result(`${outcome} ${test} (${showSeconds(seconds)}${tries}${by}${faults.join("")})`);
  }

  summary({ passed, afterHostFault, failed, failedByHost, flaky, unchanged, report }: RunSummary): void {
    if (report !== undefined) this.#line(`report of all: ${report}`);
    if (!this.#options.several) return;
    const words = [
      `${passed + unchanged} passed${afterHostFault === 0 ? "" : ` (${afterHostFault} after a fault of the host)`}`,
      ...(flaky === 0 ? [] : [`${flaky} flaky`]),
      ...(failedByHost === 0 ? [] : [`${failedByHost} failed by a fault of the host`]),
      `${failed - failedByHost} failed`,
    ];
    this.#line(words.join(", "));
  }

  close(): void {
    this.#running.clear();
    this.#block?.close();
  }

  #show(test: string, event: RunEvent, depth: number): void {
    const at = (text: string, level = depth): void =>
      this.#line(`${this.#options.several ? `${test}: ` : ""}${"  ".repeat(level + 1)}${text}`);
    switch (event.kind) {
      case "run":
        this.#line(`vm-test ${event.name}: ${event.accelerator} (${event.reason})`);
        this.#line(this.#paint(2, `  record: ${event.folder}`));
        break;
      case "step-begin":
        if (this.#block === undefined) at(`… ${event.name}`, event.depth);
        break;
      case "step-end": {
        const mark = event.ok ? this.#paint(32, "✓") : this.#paint(31, "✗");
        at(`${mark} ${event.name} ${this.#paint(2, `(${showSeconds(event.seconds)})`)}`, event.depth);
        break;
      }
      case "machine":
        at(this.#paint(2, `${event.machine} ${event.text}`));
        break;
      case "command": {
        const { machine, command, status, seconds } = event;
        if (!this.#options.verbose) break;
        at(this.#paint(2, `${machine}$ ${oneLine(command)} → ${status} (${showSeconds(seconds)})`));
        break;
      }
      case "trouble":
        at(`${this.#paint(33, "!")} ${event.machine}: ${event.line}`);
        break;
      case "note":
        at(event.text);
        break;
      case "result":
        break;
    }
  }

  /** A line for people, which is left out where they want none. */
  #line(text: string): void {
    if (!this.#options.quiet) this.#say(text);
  }

  #say(text: string): void {
    if (this.#block === undefined) this.#options.write(`${text}\n`);
    else this.#block.print(text);
  }

  /** Results go elsewhere, perhaps to the same terminal. */
  #result(line: string): void {
    this.#block?.clear();
    this.#options.print(line);
    this.#block?.changed();
  }

  #paint(code: number, text: string): string {
    return this.#options.color ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}

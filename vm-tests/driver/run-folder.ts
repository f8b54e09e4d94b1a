import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** The failure of a run as it was shown. */
export const ERROR_FILE = "error.txt";

/** What happened, in the folder of the run. */
export const EVENTS_FILE = "events.ndjson";

/** Lines of a machine's console and journal with their times, in the folder of the machine. */
export const LINES_FILE = "lines.ndjson";

/** What the driver and a machine said to each other, in the folder of the machine; kept where it is asked for. */
export const TRACE_FILE = "trace.ndjson";

/**
 * What one run leaves behind: `events.ndjson`, `report.html`, and for each machine a folder with `console.log`, `journal.log`, both
 * with times in `lines.ndjson`, what it used in `samples.ndjson`, `argv.txt` and the files a story copied out.
 * Everything is written as it happens, so that it survives the run's end in whatever way.
 */
export class RunFolder {
  readonly path: string;
  readonly #begin = performance.now();
  readonly #onEntry: (file: string, entry: object) => void;
  #full = false;

  /** @param onEntry Told every entry, with its time and the path of its file in the folder. */
  constructor(path: string, onEntry: (file: string, entry: object) => void = () => {}) {
    this.path = path;
    this.#onEntry = onEntry;
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, EVENTS_FILE), "");
  }

  /** The folder of one machine. */
  machine(name: string): string {
    const folder = join(this.path, name);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Add one entry to a file of lines of JSON; `at` is seconds since the run began. */
  record(file: string, entry: object): void {
    const at = Math.round(performance.now() - this.#begin) / 1000;
    this.keep(() => appendEntry(this.path, file, { at, ...entry }));
    this.#onEntry(file, { at, ...entry });
  }

  /** Write something of the record, unless there is no room for it: that is told at the end, and harms no machine before. */
  keep(write: () => void): void {
    try {
      write();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
      this.#full = true;
    }
  }

  /** Whether something is missing because there was no room for it. */
  get full(): boolean {
    return this.#full;
  }
}

/** Add an entry as it is. */
export function appendEntry(folder: string, file: string, entry: object): void {
  appendFileSync(join(folder, file), `${JSON.stringify(entry)}\n`);
}

/** Where runs of a test go by default: `$XDG_STATE_HOME/floe/vm-tests/<name>/<time>`, the time in UTC. */
export function defaultRunFolder(
  name: string,
  now: Date,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const state = environment["XDG_STATE_HOME"] || join(environment["HOME"] || homedir(), ".local", "state");
  const time = now
    .toISOString()
    .replace(/\.\d+Z$/, "Z")
    .replaceAll(":", "-");
  return join(state, "floe", "vm-tests", name, time);
}

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { CodedError } from "../../../core/base/index.ts";
import { ERROR_FILE, LINES_FILE } from "../run-folder.ts";
import type { RunEvent } from "../run-log.ts";

/** An event as it lies in `events.ndjson`: with the second of the run at which it happened. */
export type RecordedEvent = RunEvent & { readonly at: number };

/** A line of a console or a journal, as it lies in `lines.ndjson`. */
export interface RecordedLine {
  readonly at: number;
  readonly from: "console" | "journal";
  readonly line: string;
}

/** What QEMU had used by a second of the run, as it lies in `samples.ndjson`; figures of one boot only grow, but for memory. */
export interface RecordedSample {
  readonly at: number;
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
}

/** A picture of a screen. */
export interface RecordedPicture {
  readonly name: string;
  readonly png: Buffer;
}

/** What one machine left behind. */
export interface MachineRecord {
  readonly name: string;
  readonly lines: readonly RecordedLine[];
  readonly samples: readonly RecordedSample[];
  readonly pictures: readonly RecordedPicture[];
}

/** What one run left behind. A run that was killed has no `result` event, and everything up to then. */
export interface RunRecord {
  readonly folder: string;
  readonly events: readonly RecordedEvent[];
  readonly machines: readonly MachineRecord[];
  /** The failure as it was shown, with places and last words. */
  readonly error?: string;
}

/**
 * Read the folder of a run, while it runs or afterwards. A last line that was not finished is left out.
 *
 * @throws {CodedError} `vm-test.no-record` when there is no record of a run in it.
 */
export function readRunRecord(folder: string): RunRecord {
  const file = join(folder, "events.ndjson");
  if (!existsSync(file)) {
    throw new CodedError(
      "vm-test.no-record",
      `Cannot read "${folder}" as a record of a test: it has no events.ndjson`,
      {
        hint: "Name the folder that `floe vm-test run` told at its end.",
      },
    );
  }
  const error = join(folder, ERROR_FILE);
  const events = readLines<RecordedEvent>(file);
  const machines = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
  return {
    folder,
    events,
    machines: machines.map((name) => readMachine(join(folder, name))),
    ...(existsSync(error) ? { error: readFileSync(error, "utf8").trimEnd() } : {}),
  };
}

function readMachine(folder: string): MachineRecord {
  const files = join(folder, "files");
  const pictures = existsSync(files) ? readdirSync(files).filter((name) => extname(name) === ".png") : [];
  return {
    name: basename(folder),
    lines: readLines(join(folder, LINES_FILE)),
    samples: readLines(join(folder, "samples.ndjson")),
    pictures: pictures
      .sort()
      .map((name) => ({ name, file: join(files, name) }))
      .filter(({ file }) => statSync(file).isFile())
      .map(({ name, file }) => ({ name, png: readFileSync(file) })),
  };
}

function readLines<T>(file: string): readonly T[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  // What follows the last line feed was being written when its writer died.
  lines.pop();
  return lines.flatMap((line) => {
    try {
      return [JSON.parse(line) as T];
    } catch {
      return [];
    }
  });
}

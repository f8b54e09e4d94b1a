import { CodedError, tryParseSize } from "../../base/index.ts";
import { readSettingsFiles, type SettingsFile, type SettingsPlaces } from "../process/settings-files.ts";

/** How much one evaluation may take. */
export interface EvaluationLimits {
  readonly timeoutSeconds: number;
  /** Size of its heap. Buffers outside of the heap may take about a quarter of that on top. */
  readonly memoryMiB: number;
}

/** What the settings say of evaluations. */
export interface EvaluationSettings extends EvaluationLimits {
  readonly stays: Stays;
}

/** How long a process stands ready for the next command once one has evaluated, in seconds; 0: none does. */
export interface Stays {
  /** Where the command had not evaluated shortly before. */
  readonly first: number;
  /** Where it had: somebody edits and asks, by a program or a loop if not at a terminal. */
  readonly again: number;
}

export const DEFAULT_LIMITS: EvaluationLimits = { timeoutSeconds: 300, memoryMiB: 2048 };

const DEFAULT_STAYS_SECONDS = 180;

/** Less than this the runtime cannot even start with. */
const MIN_MEMORY_MIB = 64;

/**
 * Read `{ "evaluationTimeout": 300, "evaluationMemory": "2G", "evaluatorStays": 180 }` (seconds; a size; seconds) from `/etc/floe/settings.json`, and over it
 * `~/.config/floe/settings.json`; other keys belong to others.
 *
 * @param asks Who gives commands, which decides whether processes stand ready unless the settings say so.
 * @throws {CodedError} `evaluation.settings-malformed`
 */
export function readEvaluationSettings(places?: SettingsPlaces, asks: Asker = findAsker()): EvaluationSettings {
  const [nearest, next] = readSettingsFiles(places).map(parse);
  const stays: Stays = {
    first: asks === "person" ? DEFAULT_STAYS_SECONDS : 0,
    again: asks === "ci" ? 0 : DEFAULT_STAYS_SECONDS,
  };
  return { ...DEFAULT_LIMITS, stays, ...next, ...nearest };
}

/** Who gives commands: a person at a terminal, what runs tests for others, or some other program. */
type Asker = "person" | "ci" | "program";

function findAsker(): Asker {
  if (process.env["CI"]) return "ci";
  return process.getBuiltinModule("node:tty").isatty(2) ? "person" : "program";
}

function parse({ file, text }: SettingsFile): Partial<EvaluationSettings> {
  const { evaluationTimeout: timeout, evaluationMemory: memory, evaluatorStays: stays } = fieldsOf(text, file);
  if (timeout !== undefined && !(typeof timeout === "number" && timeout > 0 && Number.isFinite(timeout)))
    throw malformed(file, 'expected a number of seconds for "evaluationTimeout"');
  if (stays !== undefined && !(typeof stays === "number" && stays >= 0 && Number.isFinite(stays)))
    throw malformed(file, 'expected a number of seconds for "evaluatorStays", or 0 for none');
  const bytes = memory === undefined ? undefined : tryParseSize(String(memory));
  const memoryMiB = bytes === undefined ? undefined : Math.floor(bytes / 1024 ** 2);
  if (memory !== undefined && (memoryMiB === undefined || memoryMiB < MIN_MEMORY_MIB))
    throw malformed(file, `expected a size of at least ${MIN_MEMORY_MIB}M for "evaluationMemory"`);
  return {
    ...(timeout === undefined ? {} : { timeoutSeconds: timeout }),
    ...(memoryMiB === undefined ? {} : { memoryMiB }),
    ...(stays === undefined ? {} : { stays: { first: stays, again: stays } }),
  };
}

interface Fields {
  readonly evaluationTimeout?: unknown;
  readonly evaluationMemory?: unknown;
  readonly evaluatorStays?: unknown;
}

function fieldsOf(text: string, file: string): Fields {
  try {
    return (JSON.parse(text) as object | null) ?? {};
  } catch (cause) {
    throw malformed(file, "it is not JSON", cause);
  }
}

function malformed(file: string, why: string, cause?: unknown): CodedError {
  return new CodedError("evaluation.settings-malformed", `Cannot read the settings in "${file}": ${why}`, {
    hint: 'The shape is { "evaluationTimeout": 300, "evaluationMemory": "2G", "evaluatorStays": 180 }.',
    cause,
  });
}

import { CodedError, tryParseSize } from "../../base/index.ts";
import { readSettingsFiles, type SettingsFile, type SettingsPlaces } from "../process/settings-files.ts";

/** How much one evaluation may take. */
export interface EvaluationLimits {
  readonly timeoutSeconds: number;
  /** Size of its heap. Buffers outside of the heap may take about a quarter of that on top. */
  readonly memoryMiB: number;
}

export const DEFAULT_LIMITS: EvaluationLimits = { timeoutSeconds: 300, memoryMiB: 2048 };

/** Less than this the runtime cannot even start with. */
const MIN_MEMORY_MIB = 64;

/**
 * Read `{ "evaluationTimeout": 300, "evaluationMemory": "2G" }` (seconds; a size) from `/etc/floe/settings.json`, and over it
 * `~/.config/floe/settings.json`; other keys belong to others.
 *
 * @throws {CodedError} `evaluation.settings-malformed`
 */
export function readEvaluationLimits(places?: SettingsPlaces): EvaluationLimits {
  const [nearest, next] = readSettingsFiles(places).map(parse);
  return { ...DEFAULT_LIMITS, ...next, ...nearest };
}

function parse({ file, text }: SettingsFile): Partial<EvaluationLimits> {
  const { evaluationTimeout: timeout, evaluationMemory: memory } = fieldsOf(text, file);
  if (timeout !== undefined && !(typeof timeout === "number" && timeout > 0 && Number.isFinite(timeout)))
    throw malformed(file, 'expected a number of seconds for "evaluationTimeout"');
  const bytes = memory === undefined ? undefined : tryParseSize(String(memory));
  const memoryMiB = bytes === undefined ? undefined : Math.floor(bytes / 1024 ** 2);
  if (memory !== undefined && (memoryMiB === undefined || memoryMiB < MIN_MEMORY_MIB))
    throw malformed(file, `expected a size of at least ${MIN_MEMORY_MIB}M for "evaluationMemory"`);
  return {
    ...(timeout === undefined ? {} : { timeoutSeconds: timeout }),
    ...(memoryMiB === undefined ? {} : { memoryMiB }),
  };
}

function fieldsOf(
  text: string,
  file: string,
): { readonly evaluationTimeout?: unknown; readonly evaluationMemory?: unknown } {
  try {
    return (JSON.parse(text) as object | null) ?? {};
  } catch (cause) {
    throw malformed(file, "it is not JSON", cause);
  }
}

function malformed(file: string, why: string, cause?: unknown): CodedError {
  return new CodedError("evaluation.settings-malformed", `Cannot read the settings in "${file}": ${why}`, {
    hint: 'The shape is { "evaluationTimeout": 300, "evaluationMemory": "2G" }.',
    cause,
  });
}

import { readTextMap, writeTextMap } from "./wire-derivation.ts";
import type { WireReader } from "./wire-reader.ts";
import type { WireWriter } from "./wire-writer.ts";

/** How a build ended, as numbers of both protocols. */
export const BUILD_STATUS = {
  built: 0,
  substituted: 1,
  alreadyValid: 2,
  permanentFailure: 3,
  inputRejected: 4,
  outputRejected: 5,
  transientFailure: 6,
  cachedFailure: 7,
  timedOut: 8,
  miscFailure: 9,
  dependencyFailed: 10,
  logLimitExceeded: 11,
  notDeterministic: 12,
  resolvesToAlreadyValid: 13,
  noSubstituters: 14,
} as const;

const LARGEST_STATUS = 14;

export interface WireBuildResult {
  /** One of {@link BUILD_STATUS}. */
  readonly status: number;
  /** Empty when it went well. */
  readonly message: string;
  readonly timesBuilt: number;
  readonly isNonDeterministic: boolean;
  /** Unix seconds; 0 when nothing was run. */
  readonly startTime: number;
  /** Unix seconds. */
  readonly stopTime: number;
  /** Processor time in microseconds; absent when unknown. */
  readonly cpuUserMicroseconds?: number | undefined;
  readonly cpuSystemMicroseconds?: number | undefined;
  /** Output id (`sha256:<base 16>!<output>`) → the realisation as JSON text. */
  readonly builtOutputs: Readonly<Record<string, string>>;
}

export function isSuccess({ status }: WireBuildResult): boolean {
  return status <= BUILD_STATUS.alreadyValid || status === BUILD_STATUS.resolvesToAlreadyValid;
}

/** Which parts a version of a protocol sends. */
export interface BuildResultParts {
  readonly times: boolean;
  readonly cpu: boolean;
  readonly outputs: boolean;
}

export function workerBuildResultParts(minor: number): BuildResultParts {
  return { times: minor >= 29, cpu: minor >= 37, outputs: minor >= 28 };
}

export function serveBuildResultParts(minor: number): BuildResultParts {
  return { times: minor >= 3, cpu: false, outputs: minor >= 6 };
}

export function writeBuildResult(writer: WireWriter, result: WireBuildResult, parts: BuildResultParts): void {
  writer.number(result.status).text(result.message);
  if (parts.times) {
    writer.number(result.timesBuilt).bool(result.isNonDeterministic).number(result.startTime).number(result.stopTime);
  }
  if (parts.cpu) {
    for (const value of [result.cpuUserMicroseconds, result.cpuSystemMicroseconds]) {
      writer.bool(value !== undefined);
      if (value !== undefined) writer.number(value);
    }
  }
  if (parts.outputs) writeTextMap(writer, result.builtOutputs);
}

export async function readBuildResult(reader: WireReader, parts: BuildResultParts): Promise<WireBuildResult> {
  const status = await reader.number(LARGEST_STATUS);
  const message = await reader.text();
  const [timesBuilt, isNonDeterministic, startTime, stopTime] = parts.times
    ? [await reader.number(), await reader.bool(), await reader.number(), await reader.number()]
    : [0, false, 0, 0];
  const cpu = async (): Promise<number | undefined> => ((await reader.bool()) ? reader.number() : undefined);
  const [cpuUserMicroseconds, cpuSystemMicroseconds] = parts.cpu ? [await cpu(), await cpu()] : [];
  return {
    status,
    message,
    timesBuilt,
    isNonDeterministic,
    startTime,
    stopTime,
    ...(cpuUserMicroseconds === undefined ? {} : { cpuUserMicroseconds }),
    ...(cpuSystemMicroseconds === undefined ? {} : { cpuSystemMicroseconds }),
    builtOutputs: parts.outputs ? await readTextMap(reader) : {},
  };
}

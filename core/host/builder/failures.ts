import { statfsSync } from "node:fs";
import { CodedError } from "../../base/index.ts";
import { EXIT_CODES, shortName } from "../../build/index.ts";
import type { Derivation } from "../../derivation/index.ts";
import { showUrl } from "../../fetch/index.ts";
import type { StorePath } from "../../store/index.ts";

/** Below this a disk counts as full: builders fail in many strange ways near the end. */
const FULL_BYTES = 8 * 1024 * 1024;

export interface FailureContext {
  readonly drvPath: StorePath;
  /** The last lines of the log. */
  readonly tail: readonly string[];
  /** Where the build directory was kept, when it was. */
  readonly keptDirectory: string | undefined;
}

/** The builder itself said no, or was killed. */
export function builderFailed(ending: string, context: FailureContext): CodedError {
  return logged(
    "build.failed",
    `Cannot build "${shortName(context.drvPath)}": the builder ${ending}`,
    EXIT_CODES.buildFailed,
    context,
  );
}

export function timedOut(reason: string, context: FailureContext): CodedError {
  return logged(
    "build.timeout",
    `Cannot build "${shortName(context.drvPath)}": ${reason}`,
    EXIT_CODES.timedOut,
    context,
  );
}

export function outOfMemory(limitBytes: number, context: FailureContext): CodedError {
  return logged(
    "build.out-of-memory",
    `Cannot build "${shortName(context.drvPath)}": its processes needed more than ${limitBytes} bytes of memory together`,
    EXIT_CODES.buildFailed,
    context,
  );
}

export function logTooLarge(limitBytes: number, context: FailureContext): CodedError {
  const found = `its log grew beyond ${limitBytes} bytes`;
  return logged(
    "build.log-too-large",
    `Cannot build "${shortName(context.drvPath)}": ${found}`,
    EXIT_CODES.buildFailed,
    context,
  );
}

function logged(
  code: string,
  message: string,
  exitCode: number,
  { drvPath, tail, keptDirectory }: FailureContext,
): CodedError {
  const kept =
    keptDirectory === undefined
      ? []
      : [`build directory kept: ${keptDirectory} (\`. ${keptDirectory}/env-vars\` sets its variables)`];
  return new CodedError(code, message, {
    details: [
      ...(tail.length === 0 ? [] : [`last ${tail.length} lines of the log:`, ...tail.map((line) => `> ${line}`)]),
      ...kept,
    ],
    hint: `See the whole log with \`floe log ${drvPath}\`.`,
    exitCode,
  });
}

/** The system takes arguments of at most 128 KiB each, and 2 MiB together. */
export function argumentsTooLong(drvPath: StorePath): CodedError {
  return new CodedError(
    "build.arguments-too-long",
    `Cannot build "${shortName(drvPath)}": the arguments of its builder are longer than the system allows`,
    {
      hint: "Put long texts into a file (`toFile`, or a variable named in `passAsFile`).",
      exitCode: EXIT_CODES.buildFailed,
    },
  );
}

/** Paths have at most 4096 bytes, though a builder can nest directories deeper. */
export function outputTooDeep(drvPath: StorePath): CodedError {
  return new CodedError(
    "build.output-too-deep",
    `Cannot build "${shortName(drvPath)}": an output has directories nested deeper than a path can be long`,
    { exitCode: EXIT_CODES.buildFailed },
  );
}

export function missingOutputs(drvPath: StorePath, paths: readonly string[]): CodedError {
  return new CodedError(
    "build.missing-output",
    `Cannot build "${shortName(drvPath)}": the builder succeeded but did not make ${paths.join(", ")}`,
    {
      hint: `See the whole log with \`floe log ${drvPath}\`.`,
      exitCode: EXIT_CODES.buildFailed,
    },
  );
}

/** Where a fetch says it takes its contents from. */
export function addressesOf({ env }: Derivation): string[] {
  return `${env["urls"] ?? ""} ${env["url"] ?? ""}`.split(/\s+/).filter((url) => url !== "");
}

/**
 * A download that may not be made.
 *
 * @param cause How its builder failed that was run without a network.
 */
export function offline(drvPath: StorePath, drv: Derivation, cause?: CodedError): CodedError {
  return new CodedError(
    "build.offline",
    `Cannot fetch "${shortName(drvPath)}": it would have to be downloaded, and nothing may be (--offline)`,
    {
      details: [
        ...[...new Set(addressesOf(drv))].map((url) => `from ${showUrl(url)}`),
        ...(cause === undefined ? [] : [cause.message]),
      ],
      hint: "Leave --offline away, or fetch it beforehand.",
      cause,
      exitCode: EXIT_CODES.buildFailed,
    },
  );
}

/** A disk is full. */
export function diskFull(drvPath: StorePath, place: string, cause?: unknown): CodedError {
  return new CodedError(
    "build.disk-full",
    `Cannot build "${shortName(drvPath)}": no space is left on the file system of "${place}"`,
    {
      hint: "Free some space there (`floe store gc`), choose another disk with `--store DIR`, or put builds elsewhere by TMPDIR.",
      exitCode: EXIT_CODES.buildFailed,
      cause,
    },
  );
}

/** The first of the places whose file system is full. */
export function findFullDisk(places: readonly string[]): string | undefined {
  return places.find((place) => {
    try {
      const { bavail, bsize, blocks } = statfsSync(place);
      // Some virtual file systems report no size at all.
      return blocks > 0 && bavail * bsize < FULL_BYTES;
    } catch {
      return false;
    }
  });
}

export function isNoSpace(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOSPC" || code === "EDQUOT";
}

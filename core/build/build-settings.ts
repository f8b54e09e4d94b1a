import { CodedError, isRecord, tryParseSize } from "../base/index.ts";
import type { SandboxMode } from "./isolation.ts";

/** What this machine's settings say of building. What is absent has its default. */
export interface BuildSettings {
  /** Program to run after each build here, as an absolute path. Default none. */
  readonly postBuildHook?: string | undefined;
  /** Let what needs a build begin while that hook runs. Default false. */
  readonly asyncPostBuildHook?: boolean | undefined;
  /** Program to run when a second build gave another output, as an absolute path. Default none. */
  readonly diffHook?: string | undefined;
  /** Default true. */
  readonly sandbox?: SandboxMode | undefined;
  /** Let programs a builder runs gain rights by their set-id bits. Default false. */
  readonly allowNewPrivileges?: boolean | undefined;
  /** Build derivations that are impure. Default false. */
  readonly impureDerivations?: boolean | undefined;
  /** Memory that each process of a builder may fill with data of its own, in bytes. Default any. */
  readonly maxProcessMemoryBytes?: number | undefined;
  /** Memory that all processes of one build may use together, in bytes. Default any. */
  readonly maxMemoryBytes?: number | undefined;
  /** Memory that builds at once may need together, as far as it is known, in bytes. Default that of the machine. */
  readonly memoryBudgetBytes?: number | undefined;
}

/**
 * Read the part of a settings file that is about building; other keys belong to others.
 *
 * Shape: `{ "postBuildHook": "/etc/floe/upload", "asyncPostBuildHook": false, "diffHook": "/etc/floe/compare", "sandbox": "relaxed", "allowNewPrivileges": false,
 * "impureDerivations": false, "maxProcessMemory": "4G", "maxMemory": "8G", "memoryBudget": "24G" }`.
 *
 * @param from Name of the file, for errors.
 * @throws {CodedError} `build.settings-malformed`
 *
 * Source: Nix manual, `post-build-hook`, `diff-hook`, `sandbox`, `allow-new-privileges`, `impure-derivations`.
 */
export function parseBuildSettings(text: string, from: string): BuildSettings {
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch (cause) {
    throw malformed(from, "it is not JSON", cause);
  }
  if (!isRecord(fields)) throw malformed(from, "expected an object");
  const { sandbox } = fields;
  if (sandbox !== undefined && typeof sandbox !== "boolean" && sandbox !== "relaxed")
    throw malformed(from, `expected true, false or "relaxed" for "sandbox"`);
  return {
    postBuildHook: program(fields, "postBuildHook", from),
    asyncPostBuildHook: flag(fields, "asyncPostBuildHook", from),
    diffHook: program(fields, "diffHook", from),
    sandbox,
    allowNewPrivileges: flag(fields, "allowNewPrivileges", from),
    impureDerivations: flag(fields, "impureDerivations", from),
    maxProcessMemoryBytes: size(fields, "maxProcessMemory", from),
    maxMemoryBytes: size(fields, "maxMemory", from),
    memoryBudgetBytes: size(fields, "memoryBudget", from),
  };
}

/** Settings one after another: the first part that says something decides. */
export function mergeBuildSettings(parts: readonly BuildSettings[]): BuildSettings {
  const first = <Key extends keyof BuildSettings>(key: Key): BuildSettings[Key] =>
    parts.find((part) => part[key] !== undefined)?.[key];
  return {
    postBuildHook: first("postBuildHook"),
    asyncPostBuildHook: first("asyncPostBuildHook"),
    diffHook: first("diffHook"),
    sandbox: first("sandbox"),
    allowNewPrivileges: first("allowNewPrivileges"),
    impureDerivations: first("impureDerivations"),
    maxProcessMemoryBytes: first("maxProcessMemoryBytes"),
    maxMemoryBytes: first("maxMemoryBytes"),
    memoryBudgetBytes: first("memoryBudgetBytes"),
  };
}

function flag(fields: Record<string, unknown>, key: string, from: string): boolean | undefined {
  const value = fields[key];
  if (value === undefined || typeof value === "boolean") return value;
  throw malformed(from, `expected true or false for "${key}"`);
}

function size(fields: Record<string, unknown>, key: string, from: string): number | undefined {
  const value = fields[key];
  if (value === undefined) return undefined;
  const found = typeof value === "number" || typeof value === "string" ? tryParseSize(String(value)) : undefined;
  if (found === undefined) throw malformed(from, `expected a size such as "4G" for "${key}"`);
  return found;
}

/** The empty text is how a user does without what the machine has. */
function program(fields: Record<string, unknown>, key: string, from: string): string | undefined {
  const value = fields[key];
  if (value === undefined || value === "") return value;
  if (typeof value === "string" && value.startsWith("/")) return value;
  throw malformed(from, `expected the absolute path of a program for "${key}"`);
}

function malformed(from: string, found: string, cause?: unknown): CodedError {
  return new CodedError("build.settings-malformed", `Cannot read settings of builds from "${from}": ${found}`, {
    hint: `The shape is { "postBuildHook": "/etc/floe/upload", "sandbox": true }.`,
    cause,
  });
}

import { CodedError, sortedText, type SourceLocation } from "../../../base/index.ts";
import { formatAttribute } from "../../../flake/index.ts";
import {
  type EvaluatedModules,
  type EvaluatedOption,
  isPackageLike,
  type OptionDocumentation,
} from "../../../module/index.ts";
import type { AgentQuestion } from "../protocol.ts";
import { findAttribute, type FoundAttribute, member } from "./lookup.ts";

/** Longest text of a value that is listed, in UTF-16 units. */
const MAX_VALUE = 4_000;

/** One option of a system, as data. */
export interface ListedOption extends Omit<OptionDocumentation, "description" | "default" | "example" | "declaredAt"> {
  readonly description?: string | undefined;
  readonly default?: string | undefined;
  readonly example?: string | undefined;
  readonly declaredAt?: SourceLocation | undefined;
  /** Absent for options inside others, and for those without a value. */
  readonly value?: unknown;
  /** The strongest first. */
  readonly definitions?: readonly ListedDefinition[];
  /** Modules whose rules read it. */
  readonly readers?: readonly { readonly module: string; readonly at?: SourceLocation | undefined }[];
}

export interface ListedDefinition {
  readonly value: unknown;
  readonly priority: number;
  readonly module: string;
  readonly at?: SourceLocation | undefined;
  /** Whether it made the value: it has the strongest priority. */
  readonly counts: boolean;
}

/**
 * The system a question is about; where it names none, the only one that there is.
 *
 * @throws {CodedError} `flake.attribute-missing`
 */
export function findSystem(outputs: object, question: AgentQuestion): FoundAttribute {
  const names = sortedText(Object.keys((member(outputs, "systems") as object | undefined) ?? {}));
  const [first, ...others] = names;
  const isNamed = !["", "default"].includes(question.attribute) || names.includes("default");
  if (isNamed || first === undefined) return findAttribute(outputs, question);
  if (others.length === 0) return findAttribute(outputs, { ...question, candidates: [["systems", first]] });
  throw new CodedError(
    "flake.attribute-missing",
    `Cannot choose one of the systems ${names.join(", ")}: none is named, and none is the default`,
    { hint: `Name it: --flake .#${first}` },
  );
}

/** @throws {CodedError} `option.not-a-system`, and what evaluating the system raises. */
export function listOptions(path: readonly string[], system: unknown): ListedOption[] {
  const { kind, evaluated } = (system ?? {}) as { kind?: unknown; evaluated?: EvaluatedModules };
  if (kind !== "system" || evaluated === undefined) {
    throw new CodedError(
      "option.not-a-system",
      `Cannot list the options of "${formatAttribute(path)}": found something else, expected a system`,
      { hint: "Name a system: --flake .#NAME; `floe flake show` lists them." },
    );
  }
  const listed = new Map<string, ListedOption>();
  for (const option of evaluated.documentation()) listed.set(option.path, option);
  for (const option of evaluated.options()) if (listed.has(option.path)) listed.set(option.path, withValue(option));
  return [...listed.values()];
}

function withValue({
  hasValue,
  value,
  definitions,
  winning,
  readers,
  ...documentation
}: EvaluatedOption): ListedOption {
  return {
    ...documentation,
    ...(hasValue ? { value: listedValue(value) } : {}),
    definitions: definitions.map((definition) => ({
      value: listedValue(definition.value),
      priority: definition.priority,
      module: definition.module.startsWith("~") ? "the configuration" : definition.module,
      at: definition.at,
      counts: winning.includes(definition),
    })),
    readers: readers.map(({ key, at }) => ({ module: key, at })),
  };
}

/** A value as data, without making what it could make: a package is its name. */
function listedValue(value: unknown): unknown {
  let size = 0;
  const convert = (part: unknown, depth: number): unknown => {
    size += typeof part === "string" ? part.length : 8;
    if (size > MAX_VALUE) return "…";
    if (part === null || typeof part === "boolean" || typeof part === "string" || typeof part === "number") return part;
    if (Array.isArray(part)) return part.map((item) => convert(item, depth + 1));
    if (typeof part !== "object") return `<${typeof part}>`;
    if (isPackageLike(part)) return `<package ${(part as { name?: unknown }).name}>`;
    if (depth > 8) return "…";
    return Object.fromEntries(
      Object.keys(part).map((key) => [key, convert((part as Record<string, unknown>)[key], depth + 1)]),
    );
  };
  return convert(value, 0);
}

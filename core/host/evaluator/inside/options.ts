import { CodedError, sortedText, type SourceLocation } from "../../../base/index.ts";
import { formatAttribute } from "../../../flake/index.ts";
import {
  documentOptions,
  type EvaluatedModules,
  type EvaluatedOption,
  isPackageLike,
  type Module,
  type OptionDocumentation,
} from "../../../module/index.ts";
import type { AgentQuestion, OutputFault } from "../protocol.ts";
import { reportError } from "./errors.ts";
import { findAttribute, type FoundAttribute, member } from "./lookup.ts";

/** Longest text of a value that is listed, in UTF-16 units. */
const MAX_VALUE = 4_000;

/** One option of a system or of modules, as data. */
export interface ListedOption extends Omit<OptionDocumentation, "description" | "default" | "example" | "declaredAt"> {
  readonly description?: string | undefined;
  readonly default?: string | undefined;
  readonly example?: string | undefined;
  readonly declaredAt?: SourceLocation | undefined;
  /** Absent for options inside others, and for those without a value. */
  readonly value?: unknown;
  /** The strongest first; absent where no configuration was evaluated, and for options inside others. */
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
 * The system a question is about; where it names none, the only one that there is, or else what the flake has of modules.
 *
 * @throws {CodedError} `flake.attribute-missing`
 */
export function findSystem(outputs: object, question: AgentQuestion): FoundAttribute {
  const names = sortedText(Object.keys((member(outputs, "systems") as object | undefined) ?? {}));
  const [first, ...others] = names;
  const isNamed = !["", "default"].includes(question.attribute) || names.includes("default");
  const modules = member(outputs, "modules");
  if (!isNamed && first === undefined && modules !== undefined && member(outputs, "default") === undefined) {
    return { path: ["modules"], value: modules };
  }
  if (isNamed || first === undefined) return findAttribute(outputs, question);
  if (others.length === 0) return findAttribute(outputs, { ...question, candidates: [["systems", first]] });
  throw new CodedError(
    "flake.attribute-missing",
    `Cannot choose one of the systems ${names.join(", ")}: none is named, and none is the default`,
    { hint: `Name it: --flake .#${first}` },
  );
}

/** What there is of options, and why it is no more than what modules declare. */
export interface AnswerOfOptions {
  readonly value: readonly ListedOption[];
  /** That the system cannot be evaluated. */
  readonly faults: readonly OutputFault[];
}

/**
 * Options of a system with what it says of them, or what modules declare: so also of a system that cannot be evaluated.
 *
 * @throws {CodedError} `option.not-a-system`, and what evaluating the system raises when its modules do not say either.
 */
export function listOptions({ path, value }: FoundAttribute): AnswerOfOptions {
  const system = (value ?? {}) as SystemWithOptions;
  if (system.kind !== "system") {
    const modules = modulesIn(value);
    if (modules === undefined) throw notASystem(path);
    return { value: documentOptions(modules), faults: [] };
  }
  try {
    const { evaluated } = system;
    if (evaluated === undefined) throw notASystem(path);
    return { value: evaluatedOptions(evaluated), faults: [] };
  } catch (error) {
    const declared = declaredOptions(system);
    if (declared === undefined) throw error;
    return { value: declared, faults: [{ path, error: reportError(error) }] };
  }
}

interface SystemWithOptions {
  readonly kind?: unknown;
  readonly evaluated?: EvaluatedModules;
  readonly documentation?: () => readonly OptionDocumentation[];
}

function declaredOptions(system: SystemWithOptions): readonly OptionDocumentation[] | undefined {
  try {
    return system.documentation?.();
  } catch {
    // Modules that cannot be put together are what the evaluation told already.
    return undefined;
  }
}

/** The modules of an output, which is one, a list of them, or either by names. */
function modulesIn(value: unknown): Module[] | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const isModule = (part: unknown): part is Module =>
    (part as { kind?: unknown } | null | undefined)?.kind === "module";
  if (isModule(value)) return [value];
  const parts: unknown[] = (Array.isArray(value) ? value : Object.values(value)).flat();
  return parts.length > 0 && parts.every(isModule) ? parts : undefined;
}

function notASystem(path: readonly string[]): CodedError {
  return new CodedError(
    "option.not-a-system",
    `Cannot list the options of "${formatAttribute(path)}": found something else, expected a system or modules`,
    { hint: "Name a system: --flake .#NAME; `floe flake show` lists them." },
  );
}

function evaluatedOptions(evaluated: EvaluatedModules): ListedOption[] {
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

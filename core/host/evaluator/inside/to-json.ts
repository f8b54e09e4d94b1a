import { CodedError, type Diagnostic, formatLocation, type SourceLocation } from "../../../base/index.ts";
import { contextOf, currentEvaluation, NEEDS_BUILD, type NestedInput, sortNested } from "../../../derivation/index.ts";
import { formatAttribute } from "../../../flake/index.ts";
import type { ContextItem } from "../protocol.ts";

/** Deeper than this a value is taken to have no end. */
const MAX_DEPTH = 64;
/** Largest value, in UTF-16 units of its texts and 8 for each of its members. */
const MAX_SIZE = 64 * 1024 * 1024;

interface DerivationLike {
  readonly name: string;
  readonly drvPath: string;
  readonly outPath: string;
  readonly outputs: Readonly<Record<string, string>>;
}

interface SystemLike {
  readonly name: string;
  readonly toplevel: DerivationLike;
  readonly warnings?: readonly Diagnostic[];
}

/** Turns a value into JSON and collects what it refers to. */
export class Converter {
  readonly #at: SourceLocation | undefined;
  readonly #outputs = new Map<string, Set<string>>();
  readonly #nested: NestedInput[] = [];
  readonly #sources = new Set<string>();
  #size = 0;

  /** @param at Where the value was written, if it is not the flake that gives it. */
  constructor(at?: SourceLocation) {
    this.#at = at;
  }

  convert(value: unknown, path: readonly string[]): unknown {
    return this.#convert(value, path, []);
  }

  context(): { context: ContextItem[]; sourceContext: string[] } {
    const own = [...this.#outputs].map(([drvPath, outputs]) => ({ drvPath, outputs: [...outputs] }));
    return {
      context: [...own.filter(({ outputs }) => outputs.length > 0), ...sortNested(this.#nested)],
      sourceContext: [...this.#sources],
    };
  }

  #convert(value: unknown, path: readonly string[], around: readonly object[]): unknown {
    switch (typeof value) {
      case "string":
        this.#grow(value.length, path);
        this.#scan(value);
        return value;
      case "boolean":
        return value;
      case "number":
        if (Number.isFinite(value)) return value;
        throw this.#notJson(path, String(value));
      case "object":
        if (value === null) return null;
        if (around.includes(value)) throw this.#notJson(path, "a value that contains itself");
        if (around.length > MAX_DEPTH) throw this.#notJson(path, `more than ${MAX_DEPTH} levels`);
        this.#grow(8, path);
        return this.#convertObject(value, path, [...around, value]);
      default:
        throw this.#notJson(path, typeof value === "undefined" ? "nothing (undefined)" : `a ${typeof value}`);
    }
  }

  #convertObject(value: object, path: readonly string[], around: readonly object[]): unknown {
    if (Array.isArray(value)) return this.#convertList(value, path, around);
    const tag = Object.prototype.toString.call(value).slice("[object ".length, -1);
    if (tag !== "Object") throw this.#notJson(path, `a value of the kind ${tag}`);
    const kind = kindOf(value);
    if (kind === "package")
      return this.#convertPackage(value as DerivationLike & { version?: unknown; meta?: unknown }, path, around);
    if (kind === "system") return this.#convertSystem(value as SystemLike, path, around);
    if (kind === "local-source") return this.#convert(`${value as object}`, path, around);
    if (isDerivation(value)) return { type: "derivation", ...this.#derivation(value, path) };
    const made: Record<string, unknown> = {};
    for (const key of Object.keys(value)) {
      this.#grow(8 + key.length, path);
      onWhileBuilding(() => {
        const item = (value as Record<string, unknown>)[key];
        if (item === undefined) return;
        const converted = isBare(item) ? item : this.#convert(item, [...path, key], around);
        // Names that every object has are frozen there, and cannot be set.
        if (key in made) Object.defineProperty(made, key, { value: converted, enumerable: true });
        else made[key] = converted;
      });
    }
    return made;
  }

  #convertList(value: readonly unknown[], path: readonly string[], around: readonly object[]): unknown[] {
    const list: unknown[] = [];
    for (let i = 0; i < value.length; i++) {
      this.#grow(8, path);
      const item: unknown = value[i] ?? null;
      list.push(isBare(item) ? item : this.#convert(item, [...path, String(i)], around));
    }
    return list;
  }

  #notJson(path: readonly string[], found: string): CodedError {
    return new CodedError(
      "evaluation.not-json",
      `Cannot give out "${formatAttribute(path)}": found ${found}, expected data`,
      { at: this.#at, hint: "Name an attribute that is a package, a system, or plain data." },
    );
  }

  #grow(size: number, path: readonly string[]): void {
    this.#size += size;
    if (this.#size > MAX_SIZE) throw this.#notJson(path, `more than ${MAX_SIZE} characters in all`);
  }

  #convertPackage(
    value: DerivationLike & { version?: unknown; meta?: unknown },
    path: readonly string[],
    around: readonly object[],
  ): unknown {
    const { version, meta } = value;
    return {
      type: "package",
      ...this.#derivation(value, path),
      ...(version === undefined ? {} : { version: this.#convert(version, [...path, "version"], around) }),
      ...(meta === undefined ? {} : { meta: this.#convert(meta, [...path, "meta"], around) }),
    };
  }

  #convertSystem(value: SystemLike, path: readonly string[], around: readonly object[]): unknown {
    const { toplevel } = value;
    const name = this.#convert(value.name, [...path, "name"], around);
    if (!isDerivation(toplevel))
      return { type: "system", name, toplevel: this.#convert(toplevel, [...path, "toplevel"], around) };
    const warnings = showWarnings(value);
    return {
      type: "system",
      ...this.#derivation(toplevel, path),
      name,
      ...(warnings.length === 0 ? {} : { warnings }),
    };
  }

  #derivation(value: DerivationLike, path: readonly string[]): DerivationLike {
    const { name, drvPath, outPath } = value;
    const outputs = Object.fromEntries(
      Object.keys(value.outputs ?? { out: outPath }).map((output) => [
        output,
        `${(value.outputs ?? { out: outPath })[output]}`,
      ]),
    );
    const wanted =
      Object.keys(outputs).find((output) => outputs[output] === outPath) ?? Object.keys(outputs)[0] ?? "out";
    if (!currentEvaluation().derivations.has(`${drvPath}`))
      throw this.#notJson(path, `the derivation "${drvPath}", which this evaluation did not make`);
    this.#add(`${drvPath}`, [wanted]);
    return { name: `${name}`, drvPath: `${drvPath}`, outPath: `${outPath}`, outputs };
  }

  #scan(text: string): void {
    const { derivations, nested, sources } = contextOf(text);
    this.#nested.push(...nested);
    for (const [drvPath, outputs] of derivations) this.#add(drvPath, outputs);
    for (const source of sources) this.#sources.add(source);
  }

  #add(drvPath: string, outputs: readonly string[]): void {
    const known = this.#outputs.get(drvPath) ?? new Set();
    for (const output of outputs) known.add(output);
    this.#outputs.set(drvPath, known);
  }
}

/** Do a part whose siblings are done as well when it has to wait for a build; nobody takes the whole then. */
function onWhileBuilding(part: () => void): void {
  try {
    part();
  } catch (error) {
    if (!(error instanceof CodedError) || error.code !== NEEDS_BUILD) throw error;
  }
}

/** What a system says of itself, as texts: a flake may have made it by hand, and any object in it says what it likes. */
export function showWarnings({ warnings = [] }: Pick<SystemLike, "warnings">): string[] {
  return Array.from(warnings, ({ message, at }) => `${at === undefined ? "" : `${formatLocation(at)}: `}${message}`);
}

export function isDerivation(value: unknown): value is DerivationLike {
  return typeof field(value, "drvPath") === "string" && typeof field(value, "outPath") === "string";
}

/** What a value says that it is. */
export function kindOf(value: unknown): unknown {
  return field(value, "kind");
}

/** A member, where there is one: inputs and sets of packages throw when they are asked for what they do not have. */
function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && name in value
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

/** Whether a value is in JSON what it is, and refers to nothing. */
function isBare(value: unknown): boolean {
  return typeof value === "boolean" || value === null || (typeof value === "number" && Number.isFinite(value));
}

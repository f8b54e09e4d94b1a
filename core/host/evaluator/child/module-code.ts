import { placeAt } from "../../../flake/index.ts";
import type { Mount, StrippedCode } from "../protocol.ts";
import type { EngineImage } from "./engine-image.ts";
import { LoadError, tooDeep } from "./load-error.ts";
import type { StripTypes } from "./strip-types.ts";

/** Code of modules without their types, by their places. Stripping is most of what loading costs. */
export interface StrippedModules {
  /** Of earlier evaluations. */
  readonly known: StrippedCode;
  /** Of this process. */
  readonly made: Record<string, StrippedCode[string]>;
}

/**
 * What a text needs that is JavaScript as it stands and yet means something else as TypeScript: `f<T>(x)` compares in the one and calls
 * in the other. All other syntax of types is none in JavaScript, so a text without this that compiles has no types to take away.
 */
const MAY_HAVE_TYPE_ARGUMENTS = /<(?!=)/;

/** What helps who wrote what nobody can read. */
const SYNTAX_HINT = "A bracket, quote or comma is missing or too many, there or shortly before.";

export interface ModuleCodeOptions {
  /** Folder that holds `core`. */
  readonly engine: Mount;
  /** Absent where the engine is loaded from its sources. */
  readonly image?: EngineImage | undefined;
  readonly stripped: StrippedModules;
  readonly stripTypes: StripTypes;
}

/** The code that modules are compiled from: their texts without types, kept from before where there is any. */
export class ModuleCode {
  readonly #options: ModuleCodeOptions;
  #ofBundle: Readonly<Record<string, string>> | undefined;

  constructor(options: ModuleCodeOptions) {
    this.#options = options;
  }

  /** Whether a text may be compiled as it is: nothing is known of it, and what compiles of it has no types. */
  maySkip(identifier: string, text: string, sha256: string): boolean {
    return this.#known(identifier, sha256) === undefined && !MAY_HAVE_TYPE_ARGUMENTS.test(text);
  }

  /** Code without types. @throws {LoadError} */
  strip(identifier: string, text: string, sha256: string): string {
    const own = this.#ofEngine(identifier, sha256);
    if (own !== undefined) return own;
    const known = this.#known(identifier, sha256);
    if (known !== undefined) return known;
    const code = stripWith(this.#options.stripTypes, identifier, text);
    this.#options.stripped.made[identifier] = { sha256, code };
    return code;
  }

  /** What was made of this text before. */
  #known(identifier: string, sha256: string): string | undefined {
    const { known, made } = this.#options.stripped;
    for (const kept of [made, known]) {
      const found = Object.hasOwn(kept, identifier) ? kept[identifier] : undefined;
      if (found?.sha256 === sha256) return found.code;
    }
    return undefined;
  }

  /** A module of the engine as its bundle has it. */
  #ofEngine(identifier: string, sha256: string): string | undefined {
    if (!identifier.startsWith(`${this.#options.engine.path}/`)) return undefined;
    this.#ofBundle ??= this.#options.image?.strippedModules() ?? {};
    return this.#ofBundle[sha256];
  }
}

/** Blank out types; what the library says against a text is told with its place. */
export function stripWith(strip: StripTypes, identifier: string, text: string): string {
  try {
    return strip(text);
  } catch (error) {
    const { name, stack = "", message, code } = error as Error & { code?: string };
    if (name === "RangeError" || name === "RuntimeError") throw tooDeep(identifier);
    const excerpt = /^:(\d+)\n([\s\S]*?)\n\n/.exec(stack);
    const lines = excerpt?.[2]?.split("\n") ?? [];
    const caret = lines.findIndex((line) => /^\s*\^+$/.test(line));
    const told = Number(excerpt?.[1] ?? 1);
    const end = caret < 0 && excerpt !== null ? endOf(text) : undefined;
    const isAtEnd = end !== undefined && told >= end.line;
    const source = isAtEnd ? end.source : caret > 0 ? (lines[caret - 1] as string) : undefined;
    const line = isAtEnd ? end.line : told;
    const column = isAtEnd ? end.column : caret > 0 ? (lines[caret] as string).indexOf("^") + 1 : 1;
    throw new LoadError({
      code: "evaluation.syntax",
      message: `Cannot load "${identifier}": ${message}`,
      at: { file: identifier, line, column },
      ...(source === undefined ? {} : { details: [source, `${" ".repeat(column - 1)}^`] }),
      ...(code === "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX"
        ? {
            hint: "Types must be erasable: use a union of texts for enum, an ES module for namespace, and plain fields in constructors.",
          }
        : { hint: SYNTAX_HINT }),
    });
  }
}

/** Code of a module that gives data. @throws {LoadError} */
export function codeOfJson(identifier: string, text: string): string {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (cause) {
    const offset = Number(/position (\d+)/.exec(String(cause))?.[1] ?? 0);
    throw new LoadError({
      code: "evaluation.syntax",
      message: `Cannot read "${identifier}" as JSON: ${(cause as Error).message}`,
      at: { file: identifier, ...placeAt(text, offset) },
      hint: "JSON has double quotes around names and texts, no comma after the last one, and no comments.",
    });
  }
  // Made inside from its canonical text, so that its objects belong to the realm.
  return `export default JSON.parse(${JSON.stringify(JSON.stringify(data))});`;
}

/** Behind the last thing that a text says: where something is missing that its end came before. */
export function endOf(text: string): { line: number; column: number; source: string } {
  const lines = text.trimEnd().split("\n");
  const source = lines.at(-1) as string;
  return { line: lines.length, column: source.length + 1, source };
}

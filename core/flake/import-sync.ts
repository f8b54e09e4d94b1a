import { createRequire } from "node:module";
import { callerLocation, CodedError, type SourceLocation } from "../base/index.ts";

/**
 * Import a file now, and not with the file that names it: what nobody asks for is not even read, and an edit of it leaves every answer as it
 * was that did without. A file is loaded once, whoever imports it.
 *
 * @param specifier Relative to the file that calls, or a part of Floe: "#floe/system".
 * @returns All that it exports; say of which type: `importSync<typeof import("./a.ts")>("./a.ts")`.
 * @throws {CodedError} `evaluation.import-*`, as `import` does, at the caller's line; `flake.no-path`; `source.no-caller`; whatever
 *   the file throws.
 */
export function importSync<Exports>(specifier: string): Exports {
  return load(callerOf(importSync, specifier), specifier) as Exports;
}

/**
 * The default exports of files by names, each of which is imported once its member is asked for, as {@link importSync} does.
 *
 * @param files Relative to the file that calls.
 * @throws {CodedError} as {@link importSync}, at the line of this call, and `flake.no-default-export`; all but `source.no-caller` when a
 *   member is asked for.
 *
 * @example vmTests: importLazily<VmTest>({ boot: "./vm-tests/boot.ts", rollback: "./vm-tests/rollback.ts" })
 */
export function importLazily<Default>(files: Readonly<Record<string, string>>): Readonly<Record<string, Default>> {
  const members = {};
  let at: SourceLocation | undefined;
  for (const [name, specifier] of Object.entries(files)) {
    const from = (at ??= callerOf(importLazily, specifier));
    const get = (): unknown => {
      const exported = load(from, specifier) as object;
      if (Object.hasOwn(exported, "default")) return (exported as { default: unknown }).default;
      throw new CodedError(
        "flake.no-default-export",
        `Cannot take "${name}" from "${specifier}": it has no default export`,
        {
          at: from,
          hint: `Write there: export default …, or import what it has by name: importSync("${specifier}")`,
        },
      );
    };
    Object.defineProperty(members, name, { enumerable: true, get });
  }
  return members;
}

function callerOf(above: Function, specifier: string): SourceLocation {
  const at = callerLocation(above);
  if (at?.file.startsWith("/")) return at;
  throw new CodedError(
    "source.no-caller",
    `Cannot import "${specifier}": found no file that calls ${above.name}(), which its path counts from`,
    { at },
  );
}

function load(at: SourceLocation, specifier: unknown): unknown {
  if (typeof specifier !== "string") {
    const found = specifier === null ? "null" : typeof specifier;
    throw new CodedError("flake.no-path", `Cannot import a file: found ${found}, expected its path as text`, {
      at,
      hint: 'Write the path in quotes: importSync("./name.ts")',
    });
  }
  try {
    return createRequire(at.file)(specifier);
  } catch (error) {
    // One that has no place is about the import itself.
    if (!(error instanceof CodedError) || error.at !== undefined) throw error;
    const { code, message, hint, details, cause } = error;
    throw new CodedError(code, message, { hint, details, cause, at });
  }
}

import { callerLocation, CodedError, type SourceLocation, sortedText } from "../base/index.ts";
import { makeSourcePath } from "../store/index.ts";
import { currentState, type EvaluationState, registerSource } from "./evaluation.ts";

export interface LocalModulesOptions {
  /** Name of the store object. */
  readonly name: string;
  /** What the modules may import besides files: there is something of that name where they will run. */
  readonly provided: readonly string[];
}

/** A module of configuration with all files that it imports. Nothing is hashed until it is asked for. */
export interface LocalModules {
  readonly kind: "local-modules";
  /** The module itself, relative to the store path. */
  readonly entry: string;
  /** The store path. */
  toString(): string;
}

/**
 * Take the module that calls as a source, with exactly the files that it imports and that these import: the store path changes when one of
 * them does. Imports of types alone do not count.
 *
 * @throws {CodedError} `source.no-caller` where no file calls, as in an expression of the command line; when used: `source.missing` when the
 *   file was not loaded as a module; `source.foreign-import` at the import of what is no file and not `provided`; `evaluation.not-begun`
 */
export function localModules({ name, provided }: LocalModulesOptions): LocalModules {
  // Never a file that somebody names: another flake's are not theirs to take.
  const at = callerLocation(localModules);
  if (at === undefined || !/^\/.*\.m?[jt]s$/.test(at.file))
    throw new CodedError("source.no-caller", "Cannot take a module along: it is written in no file", {
      at,
      hint: "Write it in a file of its own, and import that.",
    });
  const { file } = at;
  let known: { readonly state: EvaluationState; readonly storePath: string; readonly entry: string } | undefined;
  const take = (): NonNullable<typeof known> => {
    const state = currentState();
    if (known?.state === state) return known;
    const tree = state.host.hashModules?.(file);
    if (tree === undefined)
      throw new CodedError("source.missing", `Cannot find what "${file}" imports: it was not loaded by an evaluation`, {
        at,
      });
    const { root, files, narHash, others } = tree;
    const foreign = others.find((other) => !provided.includes(other.name));
    if (foreign !== undefined) throw foreignImport(foreign, provided);
    const storePath = makeSourcePath(name, narHash);
    registerSource(storePath, { kind: "tree", name, from: root, files: sortedText(files) });
    known = { state, storePath, entry: file.slice(root.length + 1) };
    return known;
  };
  return {
    kind: "local-modules",
    get entry() {
      return take().entry;
    },
    toString: () => take().storePath,
  };
}

function foreignImport(
  { name, at }: { readonly name: string; readonly at: SourceLocation },
  provided: readonly string[],
): CodedError {
  const also = provided.map((each) => ` or "${each}"`).join("");
  return new CodedError(
    "source.foreign-import",
    `Cannot take "${name}" along: expected a file beside it that no symbolic link leads to${also}`,
    {
      at,
      hint: "Move what is needed where it will run into a file of its own; with `import type` a type alone is imported.",
    },
  );
}

import { callerLocation, CodedError, type SourceLocation, sortedText } from "../base/index.ts";
import { checkName, makeSourcePath } from "../store/index.ts";
import { currentState, type EvaluationState, registerSource, type TreeFilter } from "./evaluation.ts";
import { placed } from "./make-derivation.ts";

export interface LocalOptions {
  /** Name of the store object. Default the last part of the path. */
  readonly name?: string;
  /** Which entries count. Default all that the host counts: tracked and untracked-not-ignored files of a checkout. */
  readonly filter?: TreeFilter;
}

/** A file or tree of the host. Nothing is read until its text form, the store path, is asked for. */
export interface LocalSource {
  readonly kind: "local-source";
  readonly name: string;
  /** Absolute path on the host. */
  readonly path: string;
  /** The store path. */
  toString(): string;
}

/**
 * Take a file or tree beside the caller's file as a source.
 *
 * @param path Relative to the file that calls, or absolute.
 * @throws {CodedError} at the caller's line: `source.no-caller`, `store-path.name`; when used: `source.missing`,
 *   `source.unreadable`, `evaluation.not-begun`
 *
 * @example derivation({ …, env: { src: local("./src") } })
 */
export function local(path: string, options: LocalOptions = {}): LocalSource {
  const at = callerLocation(local);
  const absolute = resolveFrom(at, path);
  const { filter } = options;
  const name = placed(local, () => checkName(options.name ?? absolute.slice(absolute.lastIndexOf("/") + 1)));
  let known: { readonly state: EvaluationState; readonly storePath: string } | undefined;
  return {
    kind: "local-source",
    name,
    path: absolute,
    toString() {
      const state = currentState();
      if (known?.state !== state) known = { state, storePath: take(state, { name, path: absolute, filter, at }) };
      return known.storePath;
    },
  };
}

interface Take {
  readonly name: string;
  readonly path: string;
  readonly filter: TreeFilter | undefined;
  readonly at: SourceLocation | undefined;
}

function take(state: EvaluationState, { name, path, filter, at }: Take): string {
  const kept: string[] = [];
  const recording: TreeFilter | undefined =
    filter && ((relative, kind) => filter(relative, kind) && kept.push(relative) > 0);
  const { narHash, files } = hash(state, path, recording, at);
  const counted = files ?? (filter === undefined ? undefined : kept);
  const storePath = makeSourcePath(name, narHash);
  registerSource(storePath, {
    kind: "tree",
    name,
    from: path,
    ...(counted === undefined ? {} : { files: sortedText(counted) }),
  });
  return storePath;
}

function hash(
  state: EvaluationState,
  path: string,
  filter: TreeFilter | undefined,
  at: SourceLocation | undefined,
): ReturnType<EvaluationState["host"]["hashTree"]> {
  try {
    return state.host.hashTree(path, filter, at?.file);
  } catch (cause) {
    if (cause instanceof CodedError)
      throw new CodedError(cause.code, cause.message, { at: cause.at ?? at, hint: cause.hint, cause });
    throw new CodedError(
      "source.unreadable",
      `Cannot read the source "${path}": ${cause instanceof Error ? cause.message : String(cause)}`,
      { at, cause },
    );
  }
}

/** An absolute path without `.` and `..`. */
function resolveFrom(at: SourceLocation | undefined, path: string): string {
  if (!path.startsWith("/") && (at === undefined || !at.file.startsWith("/"))) {
    throw new CodedError(
      "source.no-caller",
      `Cannot find the source "${path}": found no file that calls local(), expected an absolute path then`,
      { at },
    );
  }
  const from = path.startsWith("/") ? path : `${at?.file.slice(0, at.file.lastIndexOf("/")) ?? ""}/${path}`;
  const parts: string[] = [];
  for (const part of from.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

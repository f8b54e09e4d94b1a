import { CodedError, formatSortedJson, isRecord, nearNames } from "../base/index.ts";
import { type FlakeReference, formatReference, parseReference } from "./reference.ts";
import { withoutCredentials } from "./without-credentials.ts";

/** Flakes by the names people call them on the command line: a reference, or `flake:OTHER` for another name. */
export type Registry = Readonly<Record<string, string>>;

/** A name of the registry, as a user writes it. */
export interface NamedReference {
  readonly name: string;
  /** Branch, tag or commit in place of what the registry says. */
  readonly pinned?: string;
  /** Parameters after `?`, as written. */
  readonly query: string;
}

const NAMED = /^(?:flake:)?([A-Za-z][A-Za-z0-9_-]*)(?:\/([^?#]+))?(?:\?(.*))?$/;
/** As many names may stand for each other, one after the other. */
const MOST_STEPS = 100;

/** Read `NAME`, `NAME/BRANCH` or `flake:NAME`; `undefined` for what is no name. Folders begin with `.`, `/` or `~`. */
export function tryParseNamed(text: string): NamedReference | undefined {
  const [, name, pinned, query = ""] = NAMED.exec(text) ?? [];
  if (name === undefined) return undefined;
  return { name, ...(pinned === undefined ? {} : { pinned }), query };
}

/** Check the name of an entry. @throws {CodedError} `registry.bad-name` */
export function parseRegistryName(text: string): string {
  const named = tryParseNamed(text);
  if (named !== undefined && named.pinned === undefined && named.query === "") return named.name;
  throw new CodedError(
    "registry.bad-name",
    `Cannot use "${text}" as a name of the registry: expected a letter, then letters, digits, "_" and "-"`,
  );
}

/**
 * What a name stands for.
 *
 * @param registries The one that counts most comes first.
 * @throws {CodedError} `registry.unknown-name`, `registry.cycle`, `registry.not-git` (a branch of something else), and those of
 *   {@link parseReference}
 */
export function resolveNamed(named: NamedReference, registries: readonly Registry[]): FlakeReference {
  const steps = [named.name];
  let { pinned, query } = named;
  for (;;) {
    const name = steps.at(-1) as string;
    const entry = registries.find((registry) => Object.hasOwn(registry, name))?.[name];
    if (entry === undefined) throw unknownName(name, registries);
    const next = entry.includes(":") && !entry.startsWith("flake:") ? undefined : tryParseNamed(entry);
    if (next === undefined) return withParameters(parseReference(entry), name, pinned, query);
    if (steps.includes(next.name) || steps.length >= MOST_STEPS) {
      throw new CodedError(
        "registry.cycle",
        `Cannot find the flake "${named.name}": its name stands for itself (${[...steps, next.name].join(" → ")})`,
        { hint: `Run: floe registry remove ${next.name}` },
      );
    }
    pinned ??= next.pinned;
    query = query === "" ? next.query : query;
    steps.push(next.name);
  }
}

function withParameters(
  found: FlakeReference,
  name: string,
  pinned: string | undefined,
  query: string,
): FlakeReference {
  if (pinned === undefined && query === "") return found;
  if (found.kind !== "git" && pinned !== undefined) {
    throw new CodedError(
      "registry.not-git",
      `Cannot take "${pinned}" of the flake "${name}": it is "${withoutCredentials(formatReference(found))}", which has no branches`,
    );
  }
  let base = found;
  if (base.kind === "git" && pinned !== undefined) {
    const { ref: _ref, rev: _rev, semver: _semver, narHash: _hash, ...rest } = base;
    const key = /^[0-9a-f]{40}$/.test(pinned) ? "rev" : "ref";
    base = { ...rest, [key]: pinned };
  }
  const text = formatReference(base);
  return parseReference(query === "" ? text : `${text}${text.includes("?") ? "&" : "?"}${query}`);
}

function unknownName(name: string, registries: readonly Registry[]): CodedError {
  const known = [...new Set(registries.flatMap((registry) => Object.keys(registry)))];
  const near = nearNames(name, known)[0];
  return new CodedError("registry.unknown-name", `Cannot find the flake "${name}": the registry has no such name`, {
    hint:
      near !== undefined
        ? `Did you mean "${near}"?`
        : `Write "./${name}" for a folder, or give the name a meaning: floe registry add ${name} github:OWNER/REPO`,
  });
}

/** The text of a registry file: names in order, two spaces, a final newline. */
export function formatRegistry(flakes: Registry): string {
  return `${formatSortedJson({ version: 1, flakes }, 2)}\n`;
}

/**
 * Read a registry file.
 *
 * @throws {CodedError} `registry.malformed`
 */
export function parseRegistry(text: string, path: string): Registry {
  const malformed = (found: string): CodedError =>
    new CodedError("registry.malformed", `Cannot read the registry "${path}": ${found}`, {
      at: { file: path, line: 1, column: 1 },
      hint: 'Its shape is { "version": 1, "flakes": { "NAME": "github:OWNER/REPO" } }.',
    });
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    throw malformed("it is not JSON");
  }
  const { version, flakes } = (data ?? {}) as { version?: unknown; flakes?: unknown };
  if (version !== 1) throw malformed(`found the version ${JSON.stringify(version)}, expected 1`);
  if (!isRecord(flakes)) throw malformed('expected an object for "flakes"');
  for (const [name, reference] of Object.entries(flakes))
    if (typeof reference !== "string" || tryParseNamed(name)?.name !== name)
      throw malformed(`expected a name and a reference for "${name}"`);
  return { ...(flakes as Registry) };
}

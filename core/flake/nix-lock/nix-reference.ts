import { CodedError, isRecord, parseHash, sortedText } from "../../base/index.ts";

/**
 * Where an input of a Nix flake comes from, as its attributes: `type` and what belongs to it.
 *
 * Of `locked` references it also says to which content they are pinned: `rev` or `narHash`, and `lastModified`.
 */
export type NixReference = Readonly<Record<string, string | number | boolean>>;

type Draft = Record<string, string | number | boolean>;

const REVISION = /^[0-9a-fA-F]{40}$/;
const REF = /^[A-Za-z0-9@][A-Za-z0-9_./@+-]*$/;
const FLAKE_ID = /^[A-Za-z][A-Za-z0-9_-]*$/;
const TARBALL = /\.(zip|tar|tgz|tar\.gz|tar\.xz|tar\.bz2|tar\.zst)$/;

const COMMON = ["type", "narHash", "lastModified", "rev", "revCount", "dir", "name"];
/**
 * Attributes of each type besides the common ones, first those it needs; other types are kept as they are. A map, since a type is
 * any text, and texts like "constructor" are properties of every object.
 */
const TYPES: ReadonlyMap<string, { readonly needed: readonly string[]; readonly others: readonly string[] }> = new Map([
  ["indirect", { needed: ["id"], others: ["ref"] }],
  ["path", { needed: ["path"], others: [] }],
  ["git", { needed: ["url"], others: ["ref", "shallow", "submodules", "lfs", "allRefs"] }],
  ["hg", { needed: ["url"], others: ["ref"] }],
  ["tarball", { needed: ["url"], others: [] }],
  ["file", { needed: ["url"], others: [] }],
  ["github", { needed: ["owner", "repo"], others: ["ref", "host"] }],
  ["gitlab", { needed: ["owner", "repo"], others: ["ref", "host"] }],
  ["sourcehut", { needed: ["owner", "repo"], others: ["ref", "host"] }],
]);
const NUMBERS = ["lastModified", "revCount"];
const BOOLEANS = ["shallow", "submodules", "lfs", "allRefs"];

/**
 * Check attributes that were read from a lock file or a `flake.nix`.
 *
 * @throws {CodedError} `nix-reference.malformed`
 */
export function checkNixReference(value: unknown): NixReference {
  if (!isRecord(value)) throw malformed(value, "it is no set of attributes");
  const { type } = value;
  if (typeof type !== "string") throw malformed(value, 'it has no "type"');
  const known = TYPES.get(type);
  const allowed = known === undefined ? undefined : [...known.needed, ...known.others];
  const reference: [string, string | number | boolean][] = [];
  for (const name of sortedText(Object.keys(value))) {
    const attribute = value[name];
    if (allowed !== undefined && !allowed.includes(name) && !COMMON.includes(name))
      throw malformed(value, `"${name}" is no attribute of the type "${type}"`);
    const wanted = NUMBERS.includes(name)
      ? "number"
      : allowed !== undefined && BOOLEANS.includes(name)
        ? "boolean"
        : "string";
    const found = typeof attribute;
    if (allowed !== undefined ? found !== wanted : !["string", "number", "boolean"].includes(found))
      throw malformed(value, `"${name}" is no ${wanted === "string" ? "text" : wanted}`);
    if (found === "number" && !(Number.isSafeInteger(attribute) && (attribute as number) >= 0))
      throw malformed(value, `"${name}" is no whole number`);
    reference.push([name, attribute as string | number | boolean]);
  }
  const missing = known?.needed.find((name) => value[name] === undefined);
  if (missing !== undefined) throw malformed(value, `it has no "${missing}"`);
  checkPins(value, value);
  return Object.fromEntries(reference);
}

function checkPins(value: unknown, { rev, narHash }: Record<string, unknown>): void {
  if (rev !== undefined && !(typeof rev === "string" && (REVISION.test(rev) || /^[0-9a-fA-F]{64}$/.test(rev))))
    throw malformed(value, `"rev" is no revision`);
  if (narHash === undefined) return;
  try {
    if (typeof narHash !== "string" || !narHash.startsWith("sha256-")) throw new Error("no SRI sha256");
    parseHash(narHash, "sha256");
  } catch (cause) {
    throw malformed(value, '"narHash" is no SRI sha256', cause);
  }
}

/** Whether it is pinned to one content: by a revision or by the hash of the tree. */
export function isPinnedNixReference(reference: NixReference): boolean {
  return reference["rev"] !== undefined || reference["narHash"] !== undefined;
}

export function equalNixReferences(a: NixReference, b: NixReference): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && a[name] === b[name]);
}

/**
 * The attributes of a reference in its short form, as `inputs.x.url` has it.
 *
 * Shape: `ID[/REF][/REV]`, `flake:…`, `path:…`, `github:OWNER/REPO[/REF-OR-REV]` (and `gitlab:`, `sourcehut:`), `git+https://…`
 * and the like, `https://….tar.gz`, `tarball+https://…`, `file+https://…`; parameters behind `?`.
 *
 * @throws {CodedError} `nix-reference.malformed`
 *
 * Source: Nix manual, "nix flake", "Flake references".
 */
export function parseNixReference(text: string): NixReference {
  const [address = "", query = ""] = splitOnce(text, "?");
  const parameters = parseParameters(text, query);
  const scheme = /^([a-z][a-z0-9]*(?:\+[a-z]+)?):/.exec(address)?.[1];
  if (scheme === undefined) return checkNixReference({ ...parseIndirect(text, address), ...parameters });
  const rest = address.slice(scheme.length + 1);
  const draft: Draft | undefined =
    scheme === "flake"
      ? { ...parseIndirect(text, rest), ...parameters }
      : scheme === "path"
        ? { type: "path", path: decode(text, rest), ...parameters }
        : ["github", "gitlab", "sourcehut"].includes(scheme)
          ? { type: scheme, ...parseForge(text, rest), ...parameters }
          : parseUrl(scheme, rest, parameters);
  if (draft === undefined) throw malformed(text, `nothing is known of "${scheme}" addresses that look like this`);
  return checkNixReference(draft);
}

function parseIndirect(text: string, path: string): Draft {
  const [id = "", first, second, ...more] = path.split("/");
  if (!FLAKE_ID.test(id) || more.length > 0) throw malformed(text, "expected the name of a flake");
  const draft: Draft = { type: "indirect", id };
  const [ref, rev] =
    second === undefined && first !== undefined && REVISION.test(first) ? [undefined, first] : [first, second];
  if (ref !== undefined) draft["ref"] = checkRef(text, ref);
  if (rev !== undefined) draft["rev"] = rev;
  return draft;
}

function parseForge(text: string, path: string): Draft {
  const [owner = "", repo = "", ...rest] = path.split("/").map((part) => decode(text, part));
  if (owner === "" || repo === "") throw malformed(text, "expected OWNER/REPO");
  const at = rest.join("/");
  if (at === "") return { owner, repo };
  return REVISION.test(at) ? { owner, repo, rev: at } : { owner, repo, ref: checkRef(text, at) };
}

function parseUrl(scheme: string, rest: string, parameters: Draft): Draft | undefined {
  const [application, transport] = scheme.includes("+")
    ? (splitOnce(scheme, "+") as [string, string])
    : [undefined, scheme];
  if (application === "git" || application === "hg" || (application === undefined && scheme === "git")) {
    const own = ["rev", "ref", ...BOOLEANS];
    const [mine, theirs] = partition(parameters, (name) => own.includes(name));
    const flags = Object.fromEntries(
      Object.entries(mine).map(([name, value]) => [name, BOOLEANS.includes(name) ? value === "1" : value]),
    );
    // What the type has no attribute for stays in the address, the folder of the flake too.
    const dir = theirs["dir"] === undefined ? {} : { dir: theirs["dir"] };
    return { type: application ?? "git", url: `${transport}:${rest}${formatParameters(theirs)}`, ...flags, ...dir };
  }
  if (application !== undefined && application !== "tarball" && application !== "file") return undefined;
  if (!["http", "https", "file"].includes(transport)) return undefined;
  if (application === undefined && !TARBALL.test(rest)) return undefined;
  const pins = Object.fromEntries(
    ["narHash", "dir"]
      .filter((name) => parameters[name] !== undefined)
      .map((name) => [name, parameters[name] as string]),
  );
  return { type: application ?? "tarball", url: `${transport}:${rest}${formatParameters(parameters)}`, ...pins };
}

function parseParameters(text: string, query: string): Draft {
  const parameters: Draft = {};
  for (const pair of query === "" ? [] : query.split("&")) {
    const [name = "", value = ""] = splitOnce(pair, "=");
    const decoded = decode(text, value);
    parameters[name] = NUMBERS.includes(name) && /^[0-9]+$/.test(decoded) ? Number(decoded) : decoded;
  }
  return parameters;
}

function formatParameters(parameters: Draft): string {
  const pairs = sortedText(Object.keys(parameters)).map((name) => `${name}=${encodeURI(String(parameters[name]))}`);
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}

function decode(text: string, part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw malformed(text, `"${part}" is wrongly escaped`, cause);
  }
}

function checkRef(text: string, ref: string): string {
  if (!REF.test(ref) || ref.includes("..")) throw malformed(text, `"${ref}" is no name of a branch or tag`);
  return ref;
}

function splitOnce(text: string, separator: string): [string] | [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}

function partition(parameters: Draft, isMine: (name: string) => boolean): [mine: Draft, theirs: Draft] {
  const entries = Object.entries(parameters);
  return [
    Object.fromEntries(entries.filter(([name]) => isMine(name))),
    Object.fromEntries(entries.filter(([name]) => !isMine(name))),
  ];
}

function malformed(value: unknown, found: string, cause?: unknown): CodedError {
  const shown = typeof value === "string" ? value : JSON.stringify(value);
  return new CodedError("nix-reference.malformed", `Cannot read "${shown}" as a reference of a Nix flake: ${found}`, {
    cause,
  });
}

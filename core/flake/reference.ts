import { CodedError, nearNames, parseHash } from "../base/index.ts";
import { withoutCredentials } from "./without-credentials.ts";

/** A revision of a git repository. */
export interface GitReference {
  readonly kind: "git";
  /** Repository address without `git+`: `https://…`, `http://…`, `ssh://…` or `file://…`. */
  readonly url: string;
  /** Branch, tag or full `refs/…` name; the remote's default branch when absent. */
  readonly ref?: string;
  /** Commit, 40 lower-case hexadecimal digits. */
  readonly rev?: string;
  /** Range of versions; the newest tag in it is taken. */
  readonly semver?: string;
  /** Folder of the flake inside the repository. */
  readonly dir?: string;
  /** Fetch the repositories that this one has as submodules, too, and theirs. */
  readonly submodules?: true;
  /** Put the contents of large files (Git LFS) in the place of the pointers that are stored. */
  readonly lfs?: true;
  /** SRI sha256 that the NAR of the tree has to have. */
  readonly narHash?: string;
  /** Seconds since 1970 of the commit, as a lock knows it. */
  readonly lastModified?: number;
}

/** An archive of a source, with one folder at its top. */
export interface TarballReference {
  readonly kind: "tarball";
  /** Address without `tarball+`: `https://…`, `http://…` or `file://…`. */
  readonly url: string;
  readonly dir?: string;
  readonly narHash?: string;
  /** Commit that its server says it was made of. */
  readonly rev?: string;
  /** Seconds since 1970, as its server says. */
  readonly lastModified?: number;
}

/** A single file, which is the source as it is. */
export interface FileReference {
  readonly kind: "file";
  /** Address without `file+`: `https://…`, `http://…` or `file://…`. */
  readonly url: string;
  readonly narHash?: string;
  /** Seconds since 1970, as its server says. */
  readonly lastModified?: number;
}

/** A folder of the machine. */
export interface PathReference {
  readonly kind: "path";
  /** Absolute, or relative to the folder of the flake that declares the input (begins with `.`). */
  readonly path: string;
  readonly dir?: string;
  readonly narHash?: string;
}

/** Where a flake input comes from. */
export type FlakeReference = FileReference | GitReference | PathReference | TarballReference;

const GIT_SCHEME = /^git\+(https?|ssh|file):\/\/(.+)$/;
const SCP_STYLE = /^([A-Za-z0-9_.-]+@[A-Za-z0-9_.-]+):(?!\/\/)(.+)$/;
const SCHEME = /^([a-zA-Z][a-zA-Z0-9+.-]*):/;
const REVISION = /^[0-9a-f]{40}$/;
const DOWNLOAD_SCHEME = /^(tarball|file)\+(https?|file):\/\/(.+)$/;
/** An address that ends like this is an archive, and needs no `tarball+`. */
const TARBALL_ADDRESS = /^(https?|file):\/\/.+\.(zip|tar|tgz|tar\.gz|txz|tar\.xz|tar\.zst|tbz2?|tar\.bz2)$/;
const KNOWN_SCHEMES = [
  ...["git+https", "git+http", "git+ssh", "git+file", "tarball+https", "tarball+http", "tarball+file"],
  ...["file+https", "file+http", "file+file"],
  ...["path", "github", "gitlab", "sourcehut"],
];
/** Hosts of the shorthands; `?host=` replaces them. */
const FORGES: Readonly<Record<string, { readonly host: string; readonly suffix: string }>> = {
  github: { host: "github.com", suffix: ".git" },
  gitlab: { host: "gitlab.com", suffix: ".git" },
  sourcehut: { host: "git.sr.ht", suffix: "" },
};
const GIT_PARAMETERS = ["ref", "rev", "semver", "dir", "submodules", "lfs", "narHash", "lastModified"];
/** Understood because flakes of Nix say it: only the commit that is used is fetched in any case, from whatever branch. */
const IDLE_GIT_PARAMETERS = ["shallow", "allRefs"];
const TARBALL_PARAMETERS = ["dir", "narHash", "rev", "lastModified"];
/** Told by servers of archives, and used by nobody here. */
const IDLE_TARBALL_PARAMETERS = ["revCount"];
const FILE_PARAMETERS = ["narHash", "lastModified"];
const PATH_PARAMETERS = ["dir", "narHash"];
/** What JavaScript writes for a value that is not there, in the place of a server, and for one that is no text. */
const NO_VALUE = /(?<=:\/\/(?:[^/@]*@)?)(?:undefined|null|NaN)(?=[:/]|$)|\[object \w+\]/;

/**
 * Read where a flake input comes from.
 *
 * Shape: `git+https://…`, `git+http://…`, `git+ssh://…`, `git+file:///…`, `user@host:path` (ssh), `github:OWNER/REPO[/REF]`,
 * `gitlab:…`, `sourcehut:~OWNER/REPO`, `tarball+https://…`, `tarball+http://…`, `tarball+file:///…`, `file+https://…`,
 * `file+http://…`, `file+file:///…`, `path:FOLDER`, or a folder that begins with `./`, `../` or `/`. An `http`, `https` or `file` address
 * that ends like an archive (`.tar.gz`, `.zip`) is one. Parameters follow `?`: `ref`, `rev`, `semver`, `submodules=1`, `lfs=1` of
 * repositories (`host` too for the shorthands, which are resolved to `git+https`), `rev` and `lastModified` of archives, `dir` of all but
 * files, and `narHash` of all. Other parameters of an archive or a file belong to its address.
 *
 * @throws {CodedError} `flake-reference.malformed`, `flake-reference.unknown-scheme`, `flake-reference.unknown-parameter`
 */
export function parseReference(text: string): FlakeReference {
  const missing = NO_VALUE.exec(text)?.[0];
  if (missing !== undefined)
    throw malformed(
      text,
      `found "${missing}" in it`,
      "A value that it is put together from is missing, or is no text.",
    );
  const [address, parameters] = splitQuery(text);
  if (/^\.{1,2}(\/|$)/.test(address) || address.startsWith("/")) return makePath(text, address, parameters);
  if (address.startsWith("path:")) return makePath(text, address.slice("path:".length), parameters);
  const git = GIT_SCHEME.exec(address);
  if (git !== null) return makeGit(text, `${git[1]}://${git[2]}`, parameters);
  const [, kind, transport, rest] = DOWNLOAD_SCHEME.exec(address) ?? [];
  if (kind === "tarball") return makeTarball(text, `${transport}://${rest}`, parameters);
  if (kind === "file") return makeFile(text, `${transport}://${rest}`, parameters);
  if (TARBALL_ADDRESS.test(address)) return makeTarball(text, address, parameters);
  const scheme = SCHEME.exec(address)?.[1];
  const forge = scheme === undefined ? undefined : FORGES[scheme];
  if (forge !== undefined)
    return makeForge(text, scheme as string, address.slice((scheme as string).length + 1), parameters);
  const scp = SCP_STYLE.exec(address);
  if (scp !== null) return makeGit(text, `ssh://${scp[1]}/${(scp[2] as string).replace(/^\//, "")}`, parameters);
  throw unknownScheme(text, scheme);
}

/** The canonical text of a reference; {@link parseReference} reads it back. */
export function formatReference(reference: FlakeReference): string {
  const [address, names] = addressOf(reference);
  const query = names.flatMap((name) => {
    const value = (reference as unknown as Record<string, string | number | true | undefined>)[name];
    if (value === undefined) return [];
    const text = value === true ? "1" : encodeURIComponent(value).replaceAll("%2F", "/");
    return `${name}=${text}`;
  });
  if (query.length === 0) return address;
  return `${address}${address.includes("?") ? "&" : "?"}${query.join("&")}`;
}

function addressOf(reference: FlakeReference): [string, readonly string[]] {
  switch (reference.kind) {
    case "git":
      return [`git+${reference.url}`, GIT_PARAMETERS];
    case "tarball":
      return [`tarball+${reference.url}`, TARBALL_PARAMETERS];
    case "file":
      return [`file+${reference.url}`, FILE_PARAMETERS];
    case "path":
      return [`path:${reference.path}`, PATH_PARAMETERS];
  }
}

function unknownScheme(text: string, scheme: string | undefined): CodedError {
  const shown = withoutCredentials(text);
  if (scheme === "flake") {
    return new CodedError(
      "flake-reference.registry-name",
      `Cannot read "${shown}" as where an input comes from: names of the registry hold on the command line alone`,
      { hint: `Write what it stands for, which this shows: floe registry resolve ${text.slice("flake:".length)}` },
    );
  }
  if (scheme === undefined) {
    return new CodedError(
      "flake-reference.malformed",
      `Cannot read "${shown}" as a flake reference: it has no scheme`,
      {
        hint: `Write "path:./${text}" for a folder, or "github:OWNER/REPO" for a repository.`,
      },
    );
  }
  if (KNOWN_SCHEMES.includes(scheme)) {
    return new CodedError(
      "flake-reference.malformed",
      `Cannot read "${shown}" as a flake reference: found no "//" after "${scheme}:"`,
      { hint: `Write the whole address: ${scheme}://…` },
    );
  }
  if (/^hg(\+|$)/.test(scheme)) {
    return new CodedError(
      "flake-reference.mercurial",
      `Cannot read "${shown}" as a flake reference: it names a repository of Mercurial, expected one of git, an archive or a folder`,
      {
        hint: 'Take an archive of it, which servers of Mercurial give out: "tarball+https://…/archive/REVISION.tar.gz"; or a git mirror of it.',
      },
    );
  }
  const bare = /^(https?|ssh|file)$/.test(scheme) ? `git+${text}` : undefined;
  const archive =
    scheme === "ssh"
      ? ""
      : `, "${withoutCredentials(`tarball+${text}`)}" for an archive, "${withoutCredentials(`file+${text}`)}" for a single file`;
  const near = nearNames(scheme, KNOWN_SCHEMES)[0];
  return new CodedError(
    "flake-reference.unknown-scheme",
    `Cannot read "${shown}" as a flake reference: found the scheme "${scheme}", expected ${KNOWN_SCHEMES.join(", ")}`,
    {
      hint:
        bare !== undefined
          ? `Write "${withoutCredentials(bare)}" for a git repository${archive}.`
          : near !== undefined
            ? `Did you mean "${near}"?`
            : 'Write "git+https://…" for a repository, "tarball+https://…" for an archive, "path:./…" for a folder.',
    },
  );
}

function splitQuery(text: string): [string, Map<string, string>] {
  const mark = text.indexOf("?");
  const parameters = new Map<string, string>();
  if (mark < 0) return [text, parameters];
  for (const part of text.slice(mark + 1).split("&")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    if (equals < 1) throw malformed(text, `the parameter "${part}" has no value`);
    try {
      parameters.set(part.slice(0, equals), decodeURIComponent(part.slice(equals + 1)));
    } catch {
      throw malformed(text, `the parameter "${part}" has a broken percent escape`);
    }
  }
  return [text.slice(0, mark), parameters];
}

function malformed(text: string, problem: string, hint?: string): CodedError {
  return new CodedError(
    "flake-reference.malformed",
    `Cannot read "${withoutCredentials(text)}" as a flake reference: ${problem}`,
    { hint },
  );
}

function checkParameters(text: string, parameters: Map<string, string>, known: readonly string[]): void {
  for (const name of parameters.keys()) {
    if (known.includes(name)) continue;
    const near = nearNames(name, known)[0];
    throw new CodedError(
      "flake-reference.unknown-parameter",
      `Cannot read "${withoutCredentials(text)}" as a flake reference: found the parameter "${name}", expected ${known.join(", ")}`,
      near === undefined ? {} : { hint: `Did you mean "${near}"?` },
    );
  }
}

function folderParameter(text: string, parameters: Map<string, string>): { dir?: string } {
  const dir = parameters.get("dir")?.replace(/^\.?\/+|\/+$/g, "");
  if (dir === undefined || dir === "" || dir === ".") return {};
  if (dir.split("/").some((part) => part === ".." || part === "." || part === "")) {
    throw malformed(text, `the folder "${dir}" must be a plain path below the source`);
  }
  return { dir };
}

function hashParameter(text: string, parameters: Map<string, string>): { narHash?: string } {
  const narHash = parameters.get("narHash");
  if (narHash === undefined) return {};
  try {
    if (narHash.startsWith("sha256-") && parseHash(narHash, "sha256").algorithm === "sha256") return { narHash };
  } catch {
    // Told below.
  }
  throw malformed(text, `the hash "${narHash}" is not written as sha256-…`);
}

function timeParameter(text: string, parameters: Map<string, string>): { lastModified?: number } {
  const lastModified = parameters.get("lastModified");
  if (lastModified === undefined) return {};
  if (/^[0-9]{1,15}$/.test(lastModified)) return { lastModified: Number(lastModified) };
  throw malformed(text, `the time "${lastModified}" is no number of seconds`);
}

function switchParameter(text: string, parameters: Map<string, string>, name: string): boolean {
  const value = parameters.get(name) ?? "0";
  if (value === "0" || value === "false") return false;
  if (value === "1" || value === "true") return true;
  throw malformed(text, `found "${value}" for ${name}, expected 1 or 0`);
}

function makePath(text: string, path: string, parameters: Map<string, string>): PathReference {
  checkParameters(text, parameters, PATH_PARAMETERS);
  if (path === "") throw malformed(text, "it names no folder");
  const anchored = path.startsWith("/") || /^\.{1,2}(\/|$)/.test(path) ? path : `./${path}`;
  const trimmed = anchored.length > 1 ? anchored.replace(/\/+$/, "") : anchored;
  return { kind: "path", path: trimmed, ...folderParameter(text, parameters), ...hashParameter(text, parameters) };
}

function makeTarball(text: string, address: string, parameters: Map<string, string>): TarballReference {
  const rev = parameters.get("rev");
  if (rev !== undefined && !REVISION.test(rev))
    throw malformed(text, `the revision "${rev}" is not 40 hexadecimal digits`);
  return {
    kind: "tarball",
    url: wholeAddress(text, address, [parameters, [...TARBALL_PARAMETERS, ...IDLE_TARBALL_PARAMETERS]]),
    ...(rev === undefined ? {} : { rev }),
    ...timeParameter(text, parameters),
    ...folderParameter(text, parameters),
    ...hashParameter(text, parameters),
  };
}

function makeFile(text: string, address: string, parameters: Map<string, string>): FileReference {
  return {
    kind: "file",
    url: wholeAddress(text, address, [parameters, FILE_PARAMETERS]),
    ...timeParameter(text, parameters),
    ...hashParameter(text, parameters),
  };
}

/** The address with the parameters that are its own. */
function wholeAddress(
  text: string,
  address: string,
  [parameters, known]: [Map<string, string>, readonly string[]],
): string {
  if (/^[a-z]+:\/\/-/.test(address)) throw malformed(text, "the host begins with a dash");
  const own = [...parameters].filter(([name]) => !known.includes(name));
  const query = own.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join("&");
  return query === "" ? address : `${address}?${query}`;
}

function makeForge(text: string, scheme: string, rest: string, parameters: Map<string, string>): GitReference {
  checkParameters(text, parameters, [...GIT_PARAMETERS, ...IDLE_GIT_PARAMETERS, "host"]);
  const forge = FORGES[scheme] as { host: string; suffix: string };
  const [owner, repository, ...tail] = rest.split("/");
  if (!owner || !repository)
    throw malformed(text, "expected OWNER/REPO", `Write "${scheme}:OWNER/REPO" or "${scheme}:OWNER/REPO/BRANCH".`);
  const pinned = tail.join("/");
  const more = new Map(parameters);
  more.delete("host");
  if (pinned !== "") {
    const key = REVISION.test(pinned) ? "rev" : "ref";
    if (more.has(key)) throw malformed(text, `it gives ${key} twice`);
    more.set(key, pinned);
  }
  return makeGit(text, `https://${parameters.get("host") ?? forge.host}/${owner}/${repository}${forge.suffix}`, more);
}

function makeGit(text: string, url: string, parameters: Map<string, string>): GitReference {
  checkParameters(text, parameters, [...GIT_PARAMETERS, ...IDLE_GIT_PARAMETERS]);
  for (const name of IDLE_GIT_PARAMETERS) switchParameter(text, parameters, name);
  const ref = parameters.get("ref");
  const rev = parameters.get("rev");
  const semver = parameters.get("semver");
  if (rev !== undefined && !REVISION.test(rev))
    throw malformed(text, `the revision "${rev}" is not 40 hexadecimal digits`);
  // A value that begins with "-" would be read as a flag by the git program.
  if (ref !== undefined && (!/^[^\s~^:?*[\\]+$/.test(ref) || ref.includes("..") || ref.startsWith("-"))) {
    throw malformed(text, `"${ref}" is no name of a branch or tag`);
  }
  if (semver !== undefined && (ref !== undefined || rev !== undefined))
    throw malformed(text, "semver goes without ref and rev");
  if (/^[a-z]+:\/\/-/.test(url)) throw malformed(text, "the host begins with a dash");
  return {
    kind: "git",
    url,
    ...(ref === undefined ? {} : { ref }),
    ...(rev === undefined ? {} : { rev }),
    ...(semver === undefined ? {} : { semver }),
    ...(switchParameter(text, parameters, "submodules") ? { submodules: true } : {}),
    ...(switchParameter(text, parameters, "lfs") ? { lfs: true } : {}),
    ...timeParameter(text, parameters),
    ...folderParameter(text, parameters),
    ...hashParameter(text, parameters),
  };
}

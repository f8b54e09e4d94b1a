import { CodedError, compareText } from "../base/index.ts";
import { type DerivationValue, derivation } from "../derivation/index.ts";

/** One file below /etc. */
export interface EtcEntry {
  /** The content itself, or where it lies. */
  readonly content:
    | { readonly kind: "text"; readonly text: string }
    | { readonly kind: "source"; readonly path: string };
  /** `symlink`, or the octal mode of a copy, such as `0600`. */
  readonly mode: string;
  readonly user: string;
  readonly group: string;
}

/** What {@link makeEtcTree} takes. */
export interface EtcTreeOptions {
  /** Name of the store object. Default: `etc`. */
  readonly name?: string;
  readonly platform: string;
  readonly bash: { toString(): string };
  readonly coreutils: { toString(): string };
  /** Entries by path below /etc, such as `systemd/system.conf`. */
  readonly entries: Readonly<Record<string, EtcEntry>>;
}

/** The /etc of a generation. */
export interface EtcTree {
  /** Has `etc`, which /etc/static points to, and `links`, which are the links of /etc itself. */
  readonly tree: DerivationValue;
  /** One line per entry: the path, and for a copy also mode, user and group, separated by tabs. */
  readonly lines: readonly string[];
}

/**
 * Make the /etc of a generation: one derivation, whatever the number of files.
 *
 * @throws {CodedError} as {@link makeFileTree}
 */
export function makeEtcTree(options: EtcTreeOptions): EtcTree {
  const paths = Object.keys(options.entries).sort(compareText);
  checkPaths(paths);
  const entries: Record<string, EtcEntry> = {};
  const lines: string[] = [];
  for (const path of paths) {
    const entry = options.entries[path] as EtcEntry;
    const { mode, user, group } = entry;
    entries[`etc/${path}`] = entry;
    if (mode === "symlink")
      entries[`links/${path}`] = { ...entry, content: { kind: "source", path: `/etc/static/${path}` } };
    lines.push(mode === "symlink" ? path : `${path}\t${mode}\t${user}\t${group}`);
  }
  return { tree: makeFileTree({ ...options, folders: ["etc", "links"], entries }), lines };
}

/** What {@link makeFileTree} takes. */
export interface FileTreeOptions extends EtcTreeOptions {
  /** Folders that exist even when they have no entry. */
  readonly folders?: readonly string[];
}

/**
 * Make a tree of texts and links. Modes and owners of entries are not those of the tree.
 *
 * @throws {CodedError} `etc.path` when an entry's name is not a clean relative path; `etc.inside` when one entry lies in another.
 */
export function makeFileTree(options: FileTreeOptions): DerivationValue {
  const paths = Object.keys(options.entries).sort(compareText);
  checkPaths(paths);
  const texts: Record<string, string> = {};
  const links: Record<string, string> = {};
  const folders = new Set<string>(options.folders);
  for (const path of paths) {
    const { content } = options.entries[path] as EtcEntry;
    if (path.includes("/")) folders.add(path.slice(0, path.lastIndexOf("/")));
    if (content.kind === "text") texts[path] = content.text;
    else links[path] = content.path;
  }
  const { bash, coreutils } = options;
  return derivation({
    name: options.name ?? "etc",
    system: options.platform,
    builder: `${bash}/bin/bash`,
    args: ["-euc", BUILD],
    structuredAttrs: { texts, links, folders: [...folders], bin: `${coreutils}/bin` },
  });
}

// One process for all folders; links are made one by one, since each has its own name.
const BUILD = `source "$NIX_ATTRS_SH_FILE"
out=\${outputs[out]}
"$bin/mkdir" -p "$out" "\${folders[@]/#/$out/}"
for path in "\${!texts[@]}"; do printf '%s' "\${texts[$path]}" > "$out/$path"; done
for path in "\${!links[@]}"; do "$bin/ln" -s "\${links[$path]}" "$out/$path"; done
`;

function checkPaths(paths: readonly string[]): void {
  const all = new Set(paths);
  for (const path of paths) {
    const parts = path.split("/");
    if (parts.some((part) => part === "" || part === "." || part === "..") || /[\t\n]/.test(path)) {
      throw new CodedError("etc.path", `Cannot put "${path}" below /etc: expected a relative path of plain names`);
    }
    for (let end = 1; end < parts.length; end += 1) {
      const above = parts.slice(0, end).join("/");
      if (!all.has(above)) continue;
      throw new CodedError(
        "etc.inside",
        `Cannot put "${path}" below /etc: found the entry "${above}", expected a folder there`,
      );
    }
  }
}

import {
  CodedError,
  compareText,
  concatBytes,
  type Hash,
  type HashAlgorithm,
  type Hasher,
  makeHasher,
  utf8,
} from "../base/index.ts";
import { NarParser, type NarSink } from "./nar-parser.ts";

/** The algorithms git names its objects by. */
export type GitAlgorithm = "sha1" | "sha256";

export function isGitAlgorithm(algorithm: string): algorithm is GitAlgorithm {
  return algorithm === "sha1" || algorithm === "sha256";
}

/** @throws {CodedError} `content-address.algorithm` */
export function gitHasher(algorithm: HashAlgorithm): GitHasher {
  if (isGitAlgorithm(algorithm)) return new GitHasher(algorithm);
  throw new CodedError("content-address.algorithm", `Cannot hash as git does by ${algorithm}: expected sha1 or sha256`);
}

/** What an entry is, as a git tree says it. */
type EntryMode = "100644" | "100755" | "120000" | "40000";

interface Entry {
  readonly name: string;
  readonly mode: EntryMode;
  readonly digest: Uint8Array;
}

/**
 * Hashes a tree as git names it: `update` takes its archive, `digest` gives the name of the git tree, or of the blob when the
 * archive holds one file.
 *
 * Empty directories count, as the empty tree. A blob does not say whether its file is executable or a link: only its directory
 * does, so such a file alone has no hash.
 *
 * Source: git, `gitformat-pack`, "object types"; Nix manual, "Content-Addressing File System Objects", "Git".
 */
export class GitHasher implements Hasher {
  readonly #algorithm: GitAlgorithm;
  readonly #parser: NarParser;
  /** Entries of the directories that are open. */
  readonly #open: Entry[][] = [];
  #root: Entry | undefined;

  constructor(algorithm: GitAlgorithm) {
    this.#algorithm = algorithm;
    this.#parser = new NarParser(this.#sink());
  }

  /** Bytes of the archive. @throws {CodedError} `nar.malformed` */
  update(bytes: Uint8Array): void {
    if (!this.#parser.done) this.#parser.push(bytes);
  }

  /** The hash; `undefined` when the whole archive is an executable file or a link. @throws {CodedError} `nar.malformed` */
  find(): Hash | undefined {
    this.#parser.finish();
    const { mode, digest } = this.#root as Entry;
    return mode === "100644" || mode === "40000" ? { algorithm: this.#algorithm, digest } : undefined;
  }

  /** As {@link find}. @throws {CodedError} `content-address.git-root` when there is none; `nar.malformed` */
  digest(): Hash {
    const found = this.find();
    if (found !== undefined) return found;
    throw new CodedError(
      "content-address.git-root",
      `Cannot hash ${this.#root?.mode === "120000" ? "a symbolic link" : "an executable file"} as git does: expected a directory, or a file that is not executable`,
      { hint: 'Put it into a directory, or use the mode "nar".' },
    );
  }

  #sink(): NarSink {
    let file = { executable: false, hasher: makeHasher(this.#algorithm) };
    return {
      directory: () => void this.#open.push([]),
      endDirectory: (path) => {
        const entries = this.#open.pop() as Entry[];
        this.#place(path, "40000", hashObject(this.#algorithm, "tree", formatTree(entries)));
      },
      file: (_path, { executable, size }) => {
        file = { executable, hasher: makeHasher(this.#algorithm) };
        file.hasher.update(utf8(`blob ${size}\0`));
      },
      data: (chunk) => file.hasher.update(chunk),
      endFile: (path) => this.#place(path, file.executable ? "100755" : "100644", file.hasher.digest().digest),
      symlink: (path, target) => this.#place(path, "120000", hashObject(this.#algorithm, "blob", utf8(target))),
    };
  }

  #place(path: string, mode: EntryMode, digest: Uint8Array): void {
    const entry = { name: path.slice(path.lastIndexOf("/") + 1), mode, digest };
    const parent = this.#open.at(-1);
    if (parent === undefined) this.#root = entry;
    else parent.push(entry);
  }
}

function hashObject(algorithm: GitAlgorithm, type: "blob" | "tree", content: Uint8Array): Uint8Array {
  const hasher = makeHasher(algorithm);
  hasher.update(utf8(`${type} ${content.length}\0`));
  hasher.update(content);
  return hasher.digest().digest;
}

/** Git orders the entries of a tree as if names of directories ended in `/`. */
function formatTree(entries: readonly Entry[]): Uint8Array {
  const key = ({ name, mode }: Entry): string => (mode === "40000" ? `${name}/` : name);
  const sorted = [...entries].sort((a, b) => compareText(key(a), key(b)));
  return concatBytes(sorted.flatMap(({ name, mode, digest }) => [utf8(`${mode} ${name}\0`), digest]));
}

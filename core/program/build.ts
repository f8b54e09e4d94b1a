/** What a program gets: its inputs, the places of its results, and what it does with files and other programs. */
export interface Build<Inputs extends object> extends FileTools {
  /** What the flake gave it. Packages and sources are their store paths. */
  readonly inputs: Inputs;
  /** Where the result has to be when the program ends: a file or a folder that it makes. The output `out`, or the first one. */
  readonly out: string;
  /** Places by output name. */
  readonly outputs: Readonly<Record<string, string>>;
  /** How many processors the build should use. */
  readonly cores: number;
  /**
   * Run another program: by its path, since there is no `PATH`. What it writes to its error stream goes to the log.
   *
   * @returns What it writes to its output.
   * @throws when it does not end with 0.
   */
  readonly run: (program: string, args?: readonly string[], options?: RunOptions) => Promise<string>;
  /** Write a line to the log. */
  readonly say: (line: string) => void;
}

export interface RunOptions {
  /** Default the directory of the build. */
  readonly cwd?: string;
  /** Variables besides those of the build. */
  readonly env?: Readonly<Record<string, string>>;
  /** What it reads from its input. Default nothing. */
  readonly input?: string | Uint8Array;
}

/** Paths are absolute, or count from the directory of the build, which is empty in the beginning and goes with it. */
export interface FileTools {
  /** The text of a file. @throws when it is not UTF-8. */
  readonly read: (path: string) => string;
  readonly readBytes: (path: string) => Uint8Array;
  /** Write a file, making the folders on the way. */
  readonly write: (path: string, content: string | Uint8Array, options?: WriteOptions) => void;
  /** Whether there is something; a symbolic link that leads nowhere is something, too. */
  readonly exists: (path: string) => boolean;
  /** The entries of a folder, by the bytes of their names. */
  readonly list: (folder: string) => readonly FolderEntry[];
  /** Make a folder and those on the way to it, where they are missing. */
  readonly makeFolder: (path: string) => void;
  /** Copy a file, a symbolic link or a whole folder, making the folders on the way. The copy can be written. */
  readonly copy: (from: string, to: string) => void;
  /** Make a symbolic link to `target`, and the folders on the way. */
  readonly link: (target: string, path: string) => void;
  /** Remove whatever there is. */
  readonly remove: (path: string) => void;
}

export interface WriteOptions {
  /** Default false. */
  readonly executable?: boolean;
}

export interface FolderEntry {
  readonly name: string;
  readonly kind: "file" | "directory" | "symlink";
}

import { hash as digestOf } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  type Stats,
} from "node:fs";
import { didYouMean } from "../../../base/index.ts";
import type { FileRead, Mount, WayRead } from "../protocol.ts";
import { isYoung } from "../tree-fingerprint.ts";

/** A file that may not be read, or is not there. */
export class SourceRefused extends Error {
  readonly code: string;
  readonly hint: string | undefined;

  constructor(code: string, message: string, hint?: string) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

const MAX_LINKS = 40;

/** A place inside a mount, with all symbolic links on the way resolved. */
export interface Located {
  readonly mount: Mount;
  /** Relative to the mount; empty for the mount itself. */
  readonly relative: string;
  readonly hostPath: string;
}

/** The source trees of one evaluation: finds files in them, reads them, and remembers what was read. */
export class Mounts {
  readonly reads = new Map<string, FileRead>();
  readonly #mounts: readonly Mount[];
  readonly #listed: ReadonlyMap<Mount, ReadonlySet<string>>;
  #isSilent = false;
  /** Host folders known to be real folders and not links. */
  readonly #folders = new Set<string>();
  /** The parts of where folders really are, relative to their mount, by the mount and where they seem to be. */
  readonly #resolved = new Map<string, readonly string[]>();
  /** Targets of the symbolic links that were followed, by their host path. */
  readonly #links = new Map<string, string>();

  constructor(mounts: readonly Mount[], listed = listFiles(mounts)) {
    // The longest path first: a source inside another one is its own.
    this.#mounts = [...mounts].sort((a, b) => b.path.length - a.path.length);
    this.#listed = listed;
  }

  /** The same trees, of which nothing was read. What is missing there is told to nobody, so no name is looked for that may be meant. */
  withoutReads(): Mounts {
    const mounts = new Mounts(this.#mounts, this.#listed);
    mounts.#isSilent = true;
    return mounts;
  }

  /** Whether a path may be that of a file; it is not looked at. */
  has(path: string): boolean {
    const mount = this.find(path);
    return mount !== undefined && this.counts({ mount, relative: path.slice(mount.path.length + 1) });
  }

  /** Folders and links on the way to all that was looked for: what was read is another file when one of them changes. */
  ways(): WayRead[] {
    return [
      ...[...this.#folders].map((path) => ({ path })),
      ...[...this.#links].map(([path, target]) => ({ path, target })),
    ];
  }

  /** The mount a path lies in. The engine may lie in the flake itself, so the mount of the importer is asked first. */
  find(path: string, from?: Mount): Mount | undefined {
    if (from !== undefined && inside(path, from.path)) return from;
    return this.#mounts.find((mount) => inside(path, mount.path) && isOpen(mount, path.slice(mount.path.length + 1)));
  }

  /**
   * Where a path really is, after symbolic links, none of which may leave the source.
   *
   * @throws {SourceRefused} `source.outside`, `source.missing`, `source.ignored`, `source.symlink-escape`
   */
  locate(path: string, from?: Mount): Located {
    const mount = this.find(path, from);
    if (mount === undefined)
      throw new SourceRefused(
        "source.outside",
        `Cannot read "${path}": it lies in no source of this evaluation`,
        "Declare the folder as an input of the flake.",
      );
    const relative = this.#resolveLinks(mount, path);
    const listed = this.#listed.get(mount);
    const counts = listed === undefined || relative === "" || listed.has(relative);
    if (!counts || !isOpen(mount, relative)) {
      throw new SourceRefused(
        "source.ignored",
        `Cannot read "${path}": the checkout ignores it, so it is no part of the flake`,
        `Take it out of .gitignore, or add it with: git add -f ${relative}`,
      );
    }
    return { mount, relative, hostPath: relative === "" ? mount.hostPath : `${mount.hostPath}/${relative}` };
  }

  /**
   * Where a path is if its last part is no link, which nobody has looked at yet; {@link tryRead} does. Most files of a folder are read
   * so, with one question to the machine less.
   *
   * @returns `undefined` where the folder was not looked at before, and for what does not count.
   */
  guess(path: string, from?: Mount): Located | undefined {
    const mount = this.find(path, from);
    if (mount === undefined) return undefined;
    const [folder, name] = splitBelow(mount, path);
    const above = this.#resolved.get(resolvedKey(mount, folder));
    if (above === undefined || name === "" || name === "." || name === "..") return undefined;
    const relative = above.length === 0 ? name : `${above.join("/")}/${name}`;
    return this.counts({ mount, relative })
      ? { mount, relative, hostPath: `${mount.hostPath}/${relative}` }
      : undefined;
  }

  /** {@link read} of a place that was guessed; `undefined` where it cannot be opened or is a link. */
  tryRead(located: Located, maxBytes?: number): Buffer | undefined {
    let descriptor: number;
    try {
      descriptor = openSync(located.hostPath, OPEN_FLAGS | constants.O_NOFOLLOW);
    } catch {
      return undefined;
    }
    return this.#readOpen(located, descriptor, maxBytes);
  }

  /**
   * The bytes of a file, recorded as read.
   *
   * @param maxBytes Refuse larger ones. Default any size.
   * @throws {SourceRefused} `source.not-a-file`, `source.too-large`, `source.unreadable`
   */
  read(located: Located, maxBytes?: number): Buffer {
    let descriptor: number;
    try {
      descriptor = openSync(located.hostPath, OPEN_FLAGS);
    } catch (error) {
      throw refusedRead(located, "unreadable", `the machine says ${(error as NodeJS.ErrnoException).code}`);
    }
    return this.#readOpen(located, descriptor, maxBytes);
  }

  #readOpen(located: Located, descriptor: number, maxBytes = Number.POSITIVE_INFINITY): Buffer {
    const { hostPath } = located;
    try {
      // Before it is read: what changes in between must not look like what was read.
      const stat = fstatSync(descriptor, { bigint: true });
      if (!stat.isFile())
        throw refusedRead(
          located,
          "not-a-file",
          `it is ${stat.isDirectory() ? "a folder" : "no file"}, expected a file`,
        );
      if (Number(stat.size) > maxBytes)
        throw refusedRead(located, "too-large", `it has ${stat.size} bytes, expected at most ${maxBytes}`);
      const bytes = readBytes(descriptor, Number(stat.size));
      this.reads.set(hostPath, {
        path: hostPath,
        size: bytes.length,
        ctimeNs: isYoung(stat.ctimeNs) ? "" : String(stat.ctimeNs),
        ino: String(stat.ino),
        sha256: digestOf("sha256", bytes, "hex"),
      });
      return bytes;
    } finally {
      closeSync(descriptor);
    }
  }

  /** Whether a file is as it was when it was read before; then it counts as read again. */
  isStill({ hostPath }: Located, before: FileRead): boolean {
    const stat = lstatSync(hostPath, { bigint: true, throwIfNoEntry: false });
    const isSame =
      before.path === hostPath &&
      stat !== undefined &&
      String(stat.ctimeNs) === before.ctimeNs &&
      String(stat.ino) === before.ino &&
      Number(stat.size) === before.size;
    if (isSame) this.reads.set(hostPath, before);
    return isSame;
  }

  /** Whether an entry of a mount counts (is tracked, or untracked and not ignored). */
  counts({ mount, relative }: Pick<Located, "mount" | "relative">): boolean {
    return (this.#listed.get(mount)?.has(relative) ?? true) && isOpen(mount, relative);
  }

  isRestricted(mount: Mount): boolean {
    return this.#listed.has(mount) || mount.folders !== undefined;
  }

  /** A name in the same folder that may be meant, of files that count. */
  #nearby(mount: Mount, folders: readonly string[], name: string): string | undefined {
    // To list a folder and compare all its names, for each of thousands that are missing, takes minutes.
    if (this.#isSilent) return undefined;
    const names = readdirSync([mount.hostPath, ...folders].join("/")).filter((one) =>
      this.counts({ mount, relative: [...folders, one].join("/") }),
    );
    return didYouMean(name, names) ?? "Check the path, which counts from the file that it is written in.";
  }

  #resolveLinks(mount: Mount, path: string): string {
    const [folder, name] = splitBelow(mount, path);
    // Of a folder with many files the way there is walked once.
    const key = resolvedKey(mount, folder);
    let above = this.#resolved.get(key);
    if (above === undefined) {
      above = this.#walk(mount, path, folder.split("/"), []);
      this.#resolved.set(key, above);
    }
    return this.#walk(mount, path, [name], above).join("/");
  }

  /** Go on from a real folder of a mount, over symbolic links. */
  #walk(mount: Mount, path: string, parts: readonly string[], from: readonly string[]): readonly string[] {
    const escape = (): SourceRefused =>
      new SourceRefused(
        "source.symlink-escape",
        `Cannot read "${path}": a symbolic link on the way leaves the source "${mount.path}"`,
        "Make the link relative and keep its target inside the source.",
      );
    const pending = [...parts].reverse();
    const done = [...from];
    let links = 0;
    for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
      if (part === "" || part === ".") continue;
      if (part === "..") {
        if (done.pop() === undefined) throw escape();
        continue;
      }
      const hostPath = [mount.hostPath, ...done, part].join("/");
      if (this.#folders.has(hostPath)) {
        done.push(part);
        continue;
      }
      const stat = lookAt(hostPath, path);
      if (stat === undefined)
        throw new SourceRefused(
          "source.missing",
          `Cannot read "${path}": there is no such file`,
          this.#nearby(mount, done, part),
        );
      if (stat.isSymbolicLink()) {
        const target = readlinkSync(hostPath);
        if (target.startsWith("/") || ++links > MAX_LINKS) throw escape();
        this.#links.set(hostPath, target);
        pending.push(...target.split("/").reverse());
        continue;
      }
      if (stat.isDirectory()) this.#folders.add(hostPath);
      done.push(part);
    }
    return done;
  }
}

/** Opening a pipe that nobody writes to must not wait. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

function refusedRead({ mount, relative }: Located, problem: string, found: string): SourceRefused {
  return new SourceRefused(`source.${problem}`, `Cannot read "${mount.path}/${relative}": ${found}`);
}

/** What lies there; `undefined` for nothing. @throws {SourceRefused} `source.missing`, `source.unreadable` */
function lookAt(hostPath: string, path: string): Stats | undefined {
  try {
    return lstatSync(hostPath, { throwIfNoEntry: false });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOTDIR")
      throw new SourceRefused("source.missing", `Cannot read "${path}": what it lies in is a file, expected a folder`);
    throw new SourceRefused("source.unreadable", `Cannot read "${path}": the machine says ${code}`);
  }
}

/** The folder of a path, relative to its mount, with a slash before it, and the last part. */
function splitBelow(mount: Mount, path: string): readonly [folder: string, name: string] {
  const below = path.slice(mount.path.length);
  const slash = below.lastIndexOf("/");
  return [below.slice(0, Math.max(0, slash)), below.slice(slash + 1)];
}

function resolvedKey({ hostPath }: Mount, folder: string): string {
  return `${hostPath}\0${folder}`;
}

/** Bytes of a file up to the size that it had when it was opened. */
function readBytes(descriptor: number, size: number): Buffer {
  // Files that the kernel makes up have none.
  if (size === 0) return readFileSync(descriptor);
  const bytes = Buffer.allocUnsafeSlow(size);
  let length = 0;
  while (length < size) {
    const read = readSync(descriptor, bytes, length, size - length, null);
    if (read === 0) break;
    length += read;
  }
  return bytes.subarray(0, length);
}

function inside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
}

function isOpen(mount: Mount, relative: string): boolean {
  return mount.folders === undefined || mount.folders.some((folder) => inside(relative, folder));
}

/** What counts of those that say so. */
function listFiles(mounts: readonly Mount[]): ReadonlyMap<Mount, ReadonlySet<string>> {
  const listed = new Map<Mount, ReadonlySet<string>>();
  for (const mount of mounts) if (mount.files !== undefined) listed.set(mount, withFolders(mount.files));
  return listed;
}

/** The files and every folder above one of them. */
export function withFolders(files: readonly string[]): ReadonlySet<string> {
  const all = new Set<string>(files);
  for (const file of files) {
    for (let slash = file.lastIndexOf("/"); slash > 0; slash = file.lastIndexOf("/", slash - 1)) {
      const folder = file.slice(0, slash);
      if (all.has(folder)) break;
      all.add(folder);
    }
  }
  return all;
}

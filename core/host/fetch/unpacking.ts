import { createWriteStream, mkdirSync, renameSync, rmdirSync, writeFileSync } from "node:fs";
import { chmod, link, rm, symlink } from "node:fs/promises";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { CodedError } from "../../base/index.ts";

export interface UnpackOptions {
  /** The archive. */
  readonly file: string;
  /** What becomes of it; there may be nothing yet. */
  readonly to: string;
  /** Its name for errors, without secrets. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
  /** The most that it may unpack to. Default 64 GiB. */
  readonly limitBytes?: number;
  /** The most files and folders it may have. Default 4 million. */
  readonly limitEntries?: number;
}

/** A file is gathered in memory up to this size: opening a stream for each would take most of the time. */
const SMALL_FILE_BYTES = 4 * 1024 * 1024;
const LONGEST_NAME_BYTES = 4096;

/** What an archive says of something in it. */
export interface Entry {
  readonly name: string;
  /** `file`, `contiguous-file`, `directory`, `symlink`, `link` (the same file as another one); others are refused. */
  readonly type?: string | null | undefined;
  /** Unix rights. */
  readonly mode?: number | undefined;
  readonly mtime?: Date | undefined;
  /** Bytes of its contents, as the archive says. */
  readonly size?: number | undefined;
  /** What a link leads to. */
  readonly linkname?: string | null | undefined;
}

/** What was made at a path. Only what is on record here exists, so nothing is ever written through a link. */
type Made = "folder" | "file" | { readonly link: string };

/**
 * The tree that an archive unpacks to, entry by entry. When the archive has just one folder at its top, as they all do, that folder is
 * the source; else the archive is.
 *
 * Nothing lands outside: names that lead up or begin at the root are refused, and so is whatever lies below a link or a file of
 * the archive, is a device, or refers to a file the archive does not have. Later entries replace earlier ones, as `tar` does it.
 */
export class Unpacking {
  readonly #made = new Map<string, Made>();
  readonly #to: string;
  readonly #what: string;
  readonly #limitEntries: number;
  /** Seconds since 1970 of the newest entry so far. */
  newestSeconds = 0;

  constructor({ to, what, limitEntries = 4_000_000 }: UnpackOptions) {
    this.#to = to;
    this.#what = what;
    this.#limitEntries = limitEntries;
  }

  async take(header: Entry, contents: Readable): Promise<void> {
    const path = this.#check(header.name);
    if (this.#made.size >= this.#limitEntries)
      throw this.#bad(`found more than ${this.#limitEntries} files and folders`);
    if (header.mtime !== undefined)
      this.newestSeconds = Math.max(this.newestSeconds, Math.floor(header.mtime.getTime() / 1000) || 0);
    if (header.type === "directory") {
      contents.resume();
      this.#folder(path);
      return;
    }
    if (path === "") throw this.#bad(`found an entry without a name`);
    const at = path.lastIndexOf("/");
    this.#folder(at < 0 ? "" : path.slice(0, at));
    const earlier = this.#made.get(path);
    if (earlier === "folder") throw this.#bad(`found "${path}" both as a folder and as something else`);
    // The same file as itself is what it was.
    if (header.type === "link" && this.#check(header.linkname ?? "") === path && earlier !== undefined)
      return void contents.resume();
    if (earlier !== undefined) await rm(`${this.#to}/${path}`);
    this.#made.set(path, await this.#entry(path, header, contents));
  }

  /** The one folder at the top takes the place of everything. */
  finish(): void {
    const top = [...this.#made.keys()].filter((path) => !path.includes("/"));
    const [only] = top;
    if (only === undefined) throw this.#bad("it is empty");
    if (top.length > 1 || this.#made.get(only) !== "folder") return;
    // The folder may hold one of its own name, so it goes out of the way first.
    const aside = `${this.#to}.unpacked`;
    renameSync(`${this.#to}/${only}`, aside);
    rmdirSync(this.#to);
    renameSync(aside, this.#to);
  }

  async #entry(path: string, header: Entry, contents: Readable): Promise<Made> {
    const place = `${this.#to}/${path}`;
    switch (header.type) {
      case "file":
      case "contiguous-file": {
        const isSmall = (header.size ?? 0) <= SMALL_FILE_BYTES;
        if (isSmall) writeFileSync(place, await buffer(contents), { flag: "wx" });
        else await pipeline(contents, createWriteStream(place, { flags: "wx" }));
        if (((header.mode ?? 0) & 0o100) !== 0) await chmod(place, 0o755);
        return "file";
      }
      case "symlink": {
        contents.resume();
        const target = header.linkname ?? "";
        if (target === "" || isMangled(target) || target.includes("\0"))
          throw this.#bad(`found "${path}", a link to ${JSON.stringify(target)}`);
        await symlink(target, place);
        return { link: target };
      }
      case "link": {
        contents.resume();
        const target = this.#check(header.linkname ?? "");
        const found = this.#made.get(target);
        if (found === undefined || found === "folder")
          throw this.#bad(`found "${path}", the same file as "${target}", which it does not have`);
        if (found === "file") await link(`${this.#to}/${target}`, place);
        else await symlink(found.link, place);
        return found;
      }
      default:
        throw this.#bad(`found "${path}", which is a ${header.type ?? "thing of an unknown kind"}`);
    }
  }

  /** Make a folder and those above it. */
  #folder(path: string): void {
    if (path === "" || this.#made.get(path) === "folder") return;
    const at = path.lastIndexOf("/");
    if (at > 0) this.#folder(path.slice(0, at));
    const earlier = this.#made.get(path);
    if (earlier !== undefined)
      throw this.#bad(`found something below "${path}", which is ${earlier === "file" ? "a file" : "a link"}`);
    mkdirSync(`${this.#to}/${path}`);
    this.#made.set(path, "folder");
  }

  /** A name without needless parts, relative to the top; refused when it leads elsewhere. */
  #check(name: string): string {
    if (name.startsWith("/")) throw this.#bad(`found "${name}", which begins at the root`);
    const parts = name.split("/").filter((part) => part !== "" && part !== ".");
    if (parts.includes("..")) throw this.#bad(`found "${name}", which leads up`);
    if (isMangled(name) || name.includes("\0")) throw this.#bad(`found the name "${name}", expected UTF-8`);
    if (Buffer.byteLength(name) > LONGEST_NAME_BYTES)
      throw this.#bad(`found a name of more than ${LONGEST_NAME_BYTES} bytes`);
    return parts.join("/");
  }

  #bad(found: string): CodedError {
    return badArchive(this.#what, found);
  }
}

/** Bytes that are no UTF-8 were replaced when the name was read; the tree would be another one. */
function isMangled(text: string): boolean {
  return text.includes("\ufffd");
}

export function badArchive(what: string, found: string): CodedError {
  return new CodedError("fetch.bad-archive", `Cannot unpack ${what}: ${found}`, { exitCode: 100 });
}

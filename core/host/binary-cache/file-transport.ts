import { createReadStream, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { CodedError } from "../../base/index.ts";
import { syncPath, temporaryName } from "../files/index.ts";
import { badUrl, type CacheTransport, fileMissing, type SpooledFile, tooLarge, unreachable } from "./transport.ts";

const PIECE_BYTES = 256 * 1024;
/** On the same file system as the archives, which are renamed from here. */
const SPOOL = ".floe-unfinished";
/** What is older was left by a program that was killed. */
const UNFINISHED_MS = 24 * 3600 * 1000;

/** A cache in a directory of this machine. */
export class FileTransport implements CacheTransport {
  readonly address: string;
  readonly writable = true;
  readonly #root: string;
  #isSpoolReady = false;

  constructor(directory: string) {
    this.#root = resolve(directory);
    this.address = `file://${this.#root}`;
  }

  async read(name: string, limitBytes: number): Promise<Uint8Array | undefined> {
    const path = this.#place(name);
    try {
      await using file = await open(path);
      const { size } = await file.stat();
      if (size > limitBytes) throw tooLarge(this.address, name, limitBytes);
      return new Uint8Array(await file.readFile());
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error instanceof CodedError ? error : this.#failed(error);
    }
  }

  async exists(name: string): Promise<boolean> {
    try {
      return (await stat(this.#place(name))).isFile();
    } catch (error) {
      if (isAbsent(error)) return false;
      throw error instanceof CodedError ? error : this.#failed(error);
    }
  }

  async *stream(name: string): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of createReadStream(this.#place(name), { highWaterMark: PIECE_BYTES })) yield piece;
    } catch (error) {
      if (isAbsent(error)) throw fileMissing(this.address, name);
      throw error instanceof CodedError ? error : this.#failed(error);
    }
  }

  async write(name: string, contents: Uint8Array | SpooledFile): Promise<void> {
    const path = this.#place(name);
    let temporary: string | undefined;
    try {
      mkdirSync(dirname(path), { recursive: true });
      temporary = contents instanceof Uint8Array ? temporaryName(path) : contents.path;
      const file = await open(temporary, contents instanceof Uint8Array ? "wx" : "r+", 0o644);
      try {
        if (contents instanceof Uint8Array) await file.writeFile(contents);
        await file.chmod(0o644);
        await file.datasync();
      } finally {
        await file.close();
      }
      renameSync(temporary, path);
      syncPath(dirname(path));
    } catch (cause) {
      if (temporary !== undefined) rmSync(temporary, { force: true });
      throw new CodedError(
        "cache.not-writable",
        `Cannot write "${name}" to the cache "${this.address}": ${(cause as Error).message}`,
        { cause },
      );
    }
  }

  spoolDirectory(): string {
    const directory = join(this.#root, SPOOL);
    if (this.#isSpoolReady) return directory;
    mkdirSync(directory, { recursive: true });
    removeOld(directory);
    this.#isSpoolReady = true;
    return directory;
  }

  close(): void {}

  /** A name never leaves the directory, whoever wrote it into a narinfo. */
  #place(name: string): string {
    const path = resolve(this.#root, name);
    if (name.includes("\0") || !path.startsWith(this.#root === "/" ? "/" : `${this.#root}/`))
      throw badUrl(this.address, name, "a file inside it");
    return path;
  }

  #failed(error: unknown): CodedError {
    return unreachable(this.address, (error as Error).message, error);
  }
}

function removeOld(directory: string): void {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat !== undefined && Date.now() - stat.mtimeMs > UNFINISHED_MS) rmSync(path, { force: true });
  }
}

function isAbsent(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ENOTDIR";
}

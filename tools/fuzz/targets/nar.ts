import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CodedError, concatBytes, toBase64 } from "../../../core/base/index.ts";
import { removeTree, restoreNar } from "../../../core/host/files/index.ts";
import {
  dumpNar,
  NAR_TOKENS,
  NarLister,
  NarParser,
  type NarSink,
  narString,
  parseNar,
} from "../../../core/store/index.ts";
import { sampleNar } from "../samples.ts";
import { expect, expectSame, inPieces, later, type Target } from "../target.ts";

/** One case in so many is written to a disk: that costs more than everything else together. */
const RESTORED_ONE_IN = 24;

/** Archives: read, listed, written again, and unpacked beside files that must stay as they are. */
export function narTarget(): Target {
  const folder = mkdtempSync(join(tmpdir(), "floe-fuzz-"));
  return {
    sample: sampleNar,
    words: [
      ...Object.values(NAR_TOKENS),
      ...["..", ".", "", "/", "a/b", "../x", "a\0b", "/etc/passwd", "directory", "symlink", "executable"].map(
        narString,
      ),
    ],
    async check(input, random) {
      const parser = new NarParser(new OrderedSink());
      const refused = refusalOf(() => {
        for (const piece of inPieces(input, random)) parser.push(piece);
        parser.finish();
      });
      if (random.chance(RESTORED_ONE_IN)) await unpack(folder, input, refused !== undefined);
      if (refused !== undefined) throw refused;
      if (parser.position !== input.length) return;
      const tree = parseNar(input);
      expectSame(toBase64(concatBytes(dumpNar(tree))), toBase64(input), "an archive has one form");
      const lister = new NarLister();
      for (const piece of inPieces(input, random)) lister.push(piece);
      JSON.stringify(lister.finish());
    },
    close: () => removeTree(folder),
  };
}

function refusalOf(run: () => void): CodedError | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
  return undefined;
}

/** Checks that what a reader tells can be written without leaving the tree. */
class OrderedSink implements NarSink {
  readonly #open: string[] = [];
  readonly #seen = new Set<string>();
  #file: { path: string; left: number } | undefined;

  directory(path: string): void {
    this.#enter(path);
    this.#open.push(path);
  }

  endDirectory(path: string): void {
    expect(this.#file === undefined && this.#open.pop() === path, `"${path}" ends though it is not the open directory`);
  }

  file(path: string, { size }: { readonly size: number }): void {
    this.#enter(path);
    this.#file = { path, left: size };
  }

  data(chunk: Uint8Array): void {
    expect(this.#file !== undefined && chunk.length <= this.#file.left, "contents outside of a file");
    if (this.#file !== undefined) this.#file.left -= chunk.length;
  }

  endFile(path: string): void {
    expect(this.#file?.path === path && this.#file.left === 0, `"${path}" ends before its contents do`);
    this.#file = undefined;
  }

  symlink(path: string, target: string): void {
    this.#enter(path);
    expect(target !== "" && !target.includes("\0"), `"${path}" has the target ${JSON.stringify(target)}`);
  }

  #enter(path: string): void {
    expect(this.#file === undefined, `"${path}" begins inside a file`);
    expect(!this.#seen.has(path), `"${path}" is there twice`);
    this.#seen.add(path);
    const parent = this.#open.at(-1);
    if (parent === undefined) return expect(path === "" && this.#seen.size === 1, `"${path}" has no directory`);
    const name = parent === "" ? path : path.slice(parent.length + 1);
    const inside = parent === "" || path.startsWith(`${parent}/`);
    expect(
      inside && name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name),
      `"${path}" leaves "${parent}"`,
    );
  }
}

async function unpack(folder: string, input: Uint8Array, isRefused: boolean): Promise<void> {
  const place = join(folder, "place");
  mkdirSync(place);
  writeFileSync(join(place, "canary"), "");
  try {
    await restoreNar(later([input]), join(place, "tree"));
    expect(!isRefused, "an archive was unpacked that was refused before");
  } catch (error) {
    if (!(error instanceof CodedError) && !isTooLong(error)) throw error;
  }
  const found = readdirSync(place).filter((name) => name !== "canary" && name !== "tree");
  expect(found.length === 0 && existsSync(join(place, "canary")), `unpacking has made ${found.join(", ")}`);
  expect(readdirSync(folder).length === 1, "unpacking has written beside its place");
  removeTree(place);
  rmSync(place, { force: true, recursive: true });
}

/** Names are of any bytes, and a file system may refuse some of them. */
function isTooLong(error: unknown): boolean {
  return ["ENAMETOOLONG", "EILSEQ", "EINVAL"].includes((error as NodeJS.ErrnoException).code ?? "");
}

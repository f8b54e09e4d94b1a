import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, realpathSync } from "node:fs";
import { basename } from "node:path";
import { findProgram } from "../../process/index.ts";

/**
 * Copy this machine's perl with its libraries, for tests that make system calls no small program makes.
 *
 * @param directory Where to; it may then lie at any place, given `at`.
 * @returns The words that begin a command, for a sandbox that shows the directory at `at`; a text says why there are none.
 */
export function copyPerl(directory: string, at: string): readonly string[] | string {
  const perl = findProgram("perl", "/usr/bin:/bin");
  if (perl === undefined) return "perl is not on this machine";
  const { status, stdout } = spawnSync("ldd", [perl], { encoding: "utf8" });
  if (status !== 0) return "ldd does not tell the libraries of perl";
  const files = [...stdout.matchAll(/(?:=>\s+|^\s*)(\/\S+)/gm)].map((found) => found[1] as string);
  mkdirSync(directory, { recursive: true });
  for (const file of [perl, ...files]) copyFileSync(realpathSync(file), `${directory}/${basename(file)}`);
  const loader = files.find((file) => basename(file).startsWith("ld-linux"));
  if (loader === undefined) return "the loader of perl was not found";
  return [`${at}/${basename(loader)}`, "--library-path", at, `${at}/perl`];
}

import { existsSync, readdirSync, statSync } from "node:fs";
import fs from "node:fs";
import { dirname, join } from "node:path";
import { sortedText } from "../../base/index.ts";
import { findProgram } from "../process/find-program.ts";
import { runGit } from "./program-backend.ts";

/** A working tree of git. */
export interface Checkout {
  /** Its top folder, absolute. */
  readonly root: string;
  /** Tracked files, and untracked ones that are not ignored; relative to the root, sorted. */
  readonly files: readonly string[];
  /** Those of them git does not know yet. */
  readonly untracked: readonly string[];
}

/** The top folder of the checkout a folder lies in; stops at file system borders. */
export function findCheckoutRoot(folder: string): string | undefined {
  const { dev } = statSync(folder);
  for (let at = folder; statSync(at).dev === dev; at = dirname(at)) {
    if (existsSync(join(at, ".git"))) return at;
    if (at === dirname(at)) return undefined;
  }
  return undefined;
}

/** List what counts of a checkout; with the git program, or without it when it is not installed. */
export async function readCheckout(root: string): Promise<Checkout> {
  const { tracked, untracked } =
    findProgram("git") === undefined ? await listByLibrary(root) : await listByProgram(root);
  return { root, files: sortedText(new Set([...tracked, ...untracked])), untracked: sortedText(untracked) };
}

interface Listing {
  readonly tracked: readonly string[];
  readonly untracked: readonly string[];
}

async function listByProgram(root: string): Promise<Listing> {
  const listing = await runGit(["ls-files", "-z", "-t", "--cached", "--others", "--exclude-standard"], { cwd: root });
  const tracked: string[] = [];
  const untracked: string[] = [];
  for (const line of listing.split("\0")) {
    // A repository inside the checkout is listed as a folder.
    if (line !== "") (line.startsWith("? ") ? untracked : tracked).push(line.slice(2).replace(/\/$/, ""));
  }
  return { tracked, untracked };
}

/** {@link readCheckout} without the git program. */
export async function listByLibrary(root: string): Promise<Listing> {
  const { default: git } = await import("isomorphic-git");
  const tracked = await git.listFiles({ fs, dir: root });
  const known = new Set(tracked);
  const untracked: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.name === ".git" || known.has(path)) continue;
      if (await git.isIgnored({ fs, dir: root, filepath: path })) {
        // Tracked files inside an ignored folder are known already.
        continue;
      }
      if (entry.isDirectory()) await walk(path);
      else untracked.push(path);
    }
  };
  await walk("");
  return { tracked, untracked };
}

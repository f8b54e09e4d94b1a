import { hash } from "node:crypto";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { VmTestManifest } from "../../manifest.ts";
import { readSourceClosure } from "./source-closure.ts";

/** Folder of the running Floe. */
export const FLOE_FOLDER = fileURLToPath(new URL("../../../", import.meta.url)).replace(/\/$/, "");
const INSIDE = relative(FLOE_FOLDER, join(import.meta.dirname, "inside.ts"));

export interface TestKeyOptions {
  readonly manifest: VmTestManifest;
  /** Absolute path of the story's file, and of its flake's folder. */
  readonly storyFile: string;
  readonly flakeFolder: string;
  /** Folder of the Floe that would run it. Default: the running one. */
  readonly floe?: string;
}

/** What a test is, in short. */
export interface TestKey {
  /** Digest, the same for two tests that have the same machines, programs and sources. */
  readonly key: string;
  /** Absolute paths of the files its story may load, those of the driver among them. */
  readonly files: readonly string[];
}

/**
 * Find out what a test is: its systems, and the content of every file that running its story may load. Nothing is written.
 *
 * @throws {CodedError} `vm-test.import`
 */
export function keyOfTest({ manifest, storyFile, flakeFolder, floe = FLOE_FOLDER }: TestKeyOptions): TestKey {
  const files = readSourceClosure({
    entries: [join(floe, INSIDE), storyFile],
    roots: [
      { directory: floe, name: "floe" },
      { directory: flakeFolder, name: "flake" },
    ],
    floe,
  });
  // Where the story lies, and what it says of itself, change nothing about what happens.
  const { story: _story, description: _description, tags: _tags, platforms: _platforms, ...own } = manifest;
  const contents = files.map(({ place, bytes }) => [place, hash("sha256", bytes)]);
  return { key: hash("sha256", JSON.stringify([own, contents])), files: files.map(({ path }) => path) };
}

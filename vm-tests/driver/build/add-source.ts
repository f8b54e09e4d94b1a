import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeScratch, removeTree } from "../../../core/host/files/index.ts";
import type { LocalStore } from "../../../core/host/local-store/index.ts";
import type { StorePath } from "../../../core/store/index.ts";
import { readSource, type SourceFile, type SourceRoot } from "./source-closure.ts";

/** Where Node begins in a source, see `begin.ts`; the file to begin with comes after it. */
export const BEGIN = "begin.mjs";

/** The files as one object of the store, in which Node finds what they import. */
export async function addSource(
  store: LocalStore,
  name: string,
  files: readonly SourceFile[],
  roots: readonly SourceRoot[],
): Promise<StorePath> {
  const folder = makeScratch("vm-test");
  try {
    const write = (place: string, bytes: string | Buffer): void => {
      mkdirSync(dirname(join(folder, place)), { recursive: true });
      writeFileSync(join(folder, place), bytes);
    };
    for (const { place, bytes } of files) write(place, bytes);
    write(BEGIN, readSource(join(import.meta.dirname, "begin.ts")));
    // Node takes a file for a module by the package it lies in.
    for (const { name: root } of roots) write(join(root, "package.json"), '{"type":"module"}\n');
    return await store.addTree({ name: `${name}-source`, from: folder });
  } finally {
    removeTree(folder);
  }
}

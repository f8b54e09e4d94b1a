import { lstatSync, readdirSync } from "node:fs";
import { CodedError, formatHash } from "../../base/index.ts";
import type { StorePath } from "../../store/index.ts";
import { filterFromFiles } from "../files/index.ts";
import { findCheckoutRoot, readCheckout } from "../git/index.ts";
import { filesWithoutTypes } from "./own-files.ts";
import type { SourceStore } from "./source-store.ts";

/** A tree that was put into the store. */
export interface AddedSource {
  readonly storePath: StorePath;
  readonly narHash: string;
  readonly lastModified: number;
}

/** A folder as it is now; in a checkout without what git ignores. */
export async function addFolder(folder: string, store: SourceStore): Promise<AddedSource> {
  const files = await countedFiles(folder);
  const added = await addTree(folder, files, store);
  return { ...added, lastModified: newest(folder, files) };
}

/** A whole tree; of it, the named files alone when there are names. */
export async function addTree(
  from: string,
  files: readonly string[] | undefined,
  store: SourceStore,
): Promise<Omit<AddedSource, "lastModified">> {
  const filter = files === undefined ? undefined : filterFromFiles(withFolders(files));
  const storePath = await store.addTree({ name: "source", from, filter });
  const info = store.queryPathInfo(storePath);
  if (info === undefined)
    throw new CodedError(
      "flake.source-vanished",
      `Cannot use the source "${storePath}": it was removed from the store while it was added`,
    );
  return { storePath, narHash: formatHash(info.narHash, "sri") };
}

/** Files of a folder that count, relative to the folder: in a checkout what git says; `undefined` when all of them do. */
export async function countedFiles(folder: string): Promise<string[] | undefined> {
  const root = findCheckoutRoot(folder);
  if (root === undefined) return filesWithoutTypes(folder);
  const { files } = await readCheckout(root);
  if (folder === root) return [...files];
  const prefix = `${folder.slice(root.length + 1)}/`;
  return files.filter((file) => file.startsWith(prefix)).map((file) => file.slice(prefix.length));
}

export function withFolders(files: readonly string[]): string[] {
  const all = new Set(files);
  for (const file of files)
    for (let slash = file.lastIndexOf("/"); slash > 0; slash = file.lastIndexOf("/", slash - 1))
      all.add(file.slice(0, slash));
  return [...all];
}

/** Seconds since 1970 of the newest file. */
function newest(folder: string, files: readonly string[] | undefined): number {
  let latest = 0;
  const look = (path: string): void => {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return;
    if (!stat.isDirectory()) latest = Math.max(latest, Math.floor(stat.mtimeMs / 1000));
    else if (files === undefined) for (const name of readdirSync(path)) look(`${path}/${name}`);
  };
  if (files === undefined) look(folder);
  else for (const file of files) look(`${folder}/${file}`);
  return latest;
}

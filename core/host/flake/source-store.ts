import type { PathInfo, StorePath } from "../../store/index.ts";
import type { AddTreeOptions } from "../local-store/index.ts";

/** What this folder needs of a store. */
export interface SourceStore {
  realPath(path: string): string;
  isValid(path: string): boolean;
  queryPathInfo(path: StorePath): PathInfo | undefined;
  addTree(options: AddTreeOptions): Promise<StorePath>;
  addTempRoot(path: string): void;
  /** Called where there is time for it; see `LocalStore`. */
  prepareTempRoots?(): void;
  importNar(info: PathInfo, nar: AsyncIterable<Uint8Array>): Promise<void>;
}

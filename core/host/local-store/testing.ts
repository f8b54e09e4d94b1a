import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeTree } from "../files/index.ts";
import { type LocalStore, openLocalStore } from "./local-store.ts";

/** A fresh chroot store in a temporary folder, for tests. `close` removes it. */
export function openTemporaryStore(): { readonly store: LocalStore; readonly folder: string; close(): void } {
  const folder = mkdtempSync(join(tmpdir(), "floe-store-"));
  const store = openLocalStore({ root: join(folder, "root") });
  return {
    store,
    folder,
    close() {
      store.close();
      removeTree(folder);
    },
  };
}

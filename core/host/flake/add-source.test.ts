import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { addTree } from "./add-source.ts";

test("addTree() takes the named files of a folder, and says so when they are gone at once", async () => {
  const folder = mkdtempSync(join(tmpdir(), "floe-add-source-"));
  const { store, close } = openTemporaryStore();
  try {
    for (const name of ["counted", "ignored"]) writeFileSync(join(folder, name), name);
    const some = await addTree(folder, ["counted"], store);
    assert.is(store.queryPathInfo(some.storePath)?.narHash.algorithm, "sha256");
    assert.is.not(some.narHash, (await addTree(folder, undefined, store)).narHash);
    const forgetful = Object.assign(Object.create(store) as typeof store, {
      addTree: async () => some.storePath,
      queryPathInfo: () => undefined,
    });
    try {
      await addTree(folder, undefined, forgetful);
      assert.unreachable("expected an error");
    } catch (error) {
      assert.is((error as CodedError).code, "flake.source-vanished");
    }
  } finally {
    close();
    rmSync(folder, { recursive: true });
  }
});

test.run();

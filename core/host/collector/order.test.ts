import fs, { mkdirSync, symlinkSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openLocalStore } from "../local-store/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { collectGarbage } from "./index.ts";

/** Do something right after a directory was listed for the first time. */
function afterListing(directory: string, act: () => void): () => void {
  const original = fs.readdirSync;
  let done = false;
  fs.readdirSync = ((...words: Parameters<typeof original>) => {
    const found = original(...words);
    if (!done && String(words[0]) === directory) {
      done = true;
      act();
    }
    return found;
  }) as typeof original;
  syncBuiltinESMExports();
  return () => {
    fs.readdirSync = original;
    syncBuiltinESMExports();
    assert.ok(done, `"${directory}" was never listed`);
  };
}

test("what a process links and lets go of while roots are looked for stays", async () => {
  const { store, folder, close } = openTemporaryStore();
  const gcroots = join(store.stateDirectory, "gcroots");
  const held = store.addText("held", "held", []);
  const dead = store.addText("dead", "dead", []);
  store.close();
  mkdirSync(join(folder, "proc"));
  const holder = openLocalStore({ root: store.root });
  holder.addTempRoot(held);
  // The link comes too late for those who have just looked for links, and the temporary root ends with its holder.
  const restore = afterListing(gcroots, () => {
    symlinkSync(held, join(gcroots, "late"));
    holder.close();
  });
  try {
    const report = await collectGarbage({ root: store.root, proc: join(folder, "proc") });
    assert.equal([report.live, report.dead], [[held], [dead]]);
  } finally {
    restore();
    close();
  }
});

test.run();

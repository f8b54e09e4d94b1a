import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { PathInfo } from "../../store/index.ts";
import { openTemporaryStore } from "./testing.ts";

const PYTHON = "/usr/bin/python3";
const SET = "import os,sys\nfor p in sys.argv[1:]: os.setxattr(p, 'user.floe', b'1')";
const LIST =
  "import os,sys\nfor top in sys.argv[1:]:\n  for d, ds, fs in os.walk(top):\n    for p in [d] + [os.path.join(d, f) for f in fs]: print(os.listxattr(p))";
const run = (program: string, ...paths: string[]) => spawnSync(PYTHON, ["-c", program, ...paths], { encoding: "utf8" });

test("no extended attribute of a source gets into the store, nor by copying from there", async () => {
  const { store, folder, close } = openTemporaryStore();
  const other = openTemporaryStore();
  try {
    const from = join(folder, "tree");
    const files = [from, join(from, "directory"), join(from, "directory/large"), join(from, "small")];
    mkdirSync(join(from, "directory"), { recursive: true });
    writeFileSync(join(from, "small"), "small");
    writeFileSync(join(from, "directory/large"), "x".repeat(3_000_000));
    const set = run(SET, ...files);
    if (set.status !== 0)
      return console.log(`skipped: extended attributes cannot be set here: ${set.error ?? set.stderr}`);
    // They are there to be found.
    assert.is(run(LIST, from).stdout, "['user.floe']\n".repeat(4));
    const path = await store.addTree({ name: "tree", from });
    await other.store.importNar(store.queryPathInfo(path) as PathInfo, store.readNar(path));
    for (const each of [store, other.store]) assert.is(run(LIST, each.realPath(path)).stdout, "[]\n".repeat(4));
  } finally {
    close();
    other.close();
  }
});

test.run();

import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { hashBytes } from "../../base/index.ts";
import type { ExportedFile, StorePath } from "../../store/index.ts";
import { removeTree } from "../files/index.ts";
import { writeFiles } from "./write-files.ts";

const fileOf = (i: number): ExportedFile => ({
  info: { path: `/nix/store/2b3r1faw83dln00pq53dmccl6ri3wvxi-${i}` as StorePath, references: [] },
  executable: i % 2 === 1,
  contents: Buffer.from(`${i}`.repeat(i)),
  narHash: hashBytes("sha256", ""),
  narSize: 1,
});

/** The first of them are written by this thread, the others by another one. */
for (const count of [10, 1000])
  test(`writeFiles() of ${count} gives those before one that cannot be written, all of them whole`, async () => {
    const directory = mkdtempSync(join(tmpdir(), "floe-write-files-"));
    const bad = count - 3;
    mkdirSync(join(directory, `place-${bad}`));
    let next = 0;
    const temporaryPlace = (): string => join(directory, `place-${next++}`);
    const files = Array.from({ length: count }, (_, i) => fileOf(i));
    const { written, failure } = await writeFiles({ realStoreDirectory: directory, temporaryPlace }, files);
    const ended = await Promise.allSettled(written.map(({ finish }) => finish()));
    // A thread tells at the end, and then nothing of what was written together counts.
    if (failure === undefined) assert.equal([...new Set(ended.map(({ status }) => status))], ["rejected"]);
    else {
      assert.is((failure.error as NodeJS.ErrnoException).code, "EEXIST");
      assert.is(written.length, bad);
      assert.is(readdirSync(directory).length, bad);
      assert.equal([...new Set(ended.map(({ status }) => status))], ["fulfilled"]);
      for (const { file, place } of written) {
        assert.is(readFileSync(place, "utf8"), Buffer.from(file.contents).toString());
        const { mode, mtimeMs } = lstatSync(place);
        assert.equal([mode & 0o7777, mtimeMs], [file.executable ? 0o555 : 0o444, 1000]);
      }
    }
    removeTree(directory);
  });

test.run();

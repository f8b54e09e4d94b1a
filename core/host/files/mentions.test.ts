import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { mentionsIn, removeTree } from "./index.ts";

const A = "9l06v7fc38c1x3r2iydl15ksgz0ysb82";
const B = "vxjiwkjkn7x4079qvh1jkl5pn05j2aw0";
const work = mkdtempSync(join(tmpdir(), "floe-mentions-"));
test.after(() => removeTree(work));

mkdirSync(join(work, "bin"));
writeFileSync(join(work, "bin/tool"), `\0\0 before /nix/store/${A}-glibc/lib/ld.so \xff after`);
// Across the border of two pieces.
writeFileSync(join(work, "large"), `${"x".repeat(1024 * 1024 - 10)}${B}-y`);
symlinkSync(`/nix/store/${A}-glibc`, join(work, "link"));
mkdirSync(join(work, `share-${B}`));

test("mentionsIn() finds files, links and names, with what stands around", () => {
  const found = mentionsIn(work, [A, B]);
  assert.equal(
    found.get(A)?.map(({ file }) => file),
    ["bin/tool", "link"],
  );
  assert.is(found.get(A)?.[0]?.fragment, `.. before /nix/store/${A}-glibc/lib/ld.so .. after`);
  assert.equal(
    found.get(B)?.map(({ file }) => file),
    ["large", `share-${B}`],
  );
  assert.is(found.get(B)?.[0]?.fragment, `${"x".repeat(32)}${B}-y`);
});

test("mentionsIn() stops at the first place when that is enough", () => {
  const found = mentionsIn(work, [A, B], { first: true });
  assert.equal(
    [...found.values()].map((list) => list.length),
    [1, 1],
  );
  assert.equal(
    [...(mentionsIn(join(work, "link"), [A]).get(A) ?? [])].map(({ file }) => file),
    [""],
  );
  assert.is(mentionsIn(join(work, "bin"), [B]).size, 0);
});

test.run();

import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { keepFile, linesOfSum, userCacheFolder, withSum } from "./kept-files.ts";

const folder = mkdtempSync(join(tmpdir(), "floe-kept-"));
test.after(() => rmSync(folder, { recursive: true }));

test("linesOfSum() gives the lines that withSum() had, and nothing of what was cut short or has another byte", () => {
  const line = fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\n", ""));
  fc.assert(
    fc.property(
      fc.array(line, { minLength: 1 }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (lines, place, change) => {
        const bytes = Buffer.from(withSum(lines));
        assert.equal(linesOfSum(bytes), lines);
        const at = place % bytes.length;
        assert.is(linesOfSum(bytes.subarray(0, at)), undefined);
        bytes[at] = (bytes[at] as number) ^ change;
        assert.is(linesOfSum(bytes), undefined);
      },
    ),
  );
  assert.is(linesOfSum(Buffer.alloc(0)), undefined);
});

test("keepFile() keeps the files that were written last, and fails nobody", () => {
  const place = join(folder, "a/b");
  for (const [seconds, name] of ["one", "two", "three"].entries()) {
    keepFile(place, name, { text: name, kept: 2 });
    utimesSync(join(place, name), 0, seconds);
  }
  assert.equal(readdirSync(place).sort(), ["three", "two"]);
  assert.is(readFileSync(join(place, "two"), "utf8"), "two");
  keepFile(join(place, "two"), "name", { text: "", kept: 2 });
});

test("userCacheFolder() is where the user has caches, and nowhere without a home", () => {
  assert.is(userCacheFolder({ XDG_CACHE_HOME: "/c", HOME: "/h" }), "/c/floe");
  assert.is(userCacheFolder({ XDG_CACHE_HOME: "", HOME: "/h" }), "/h/.cache/floe");
  assert.is(userCacheFolder({}), undefined);
});

test.run();

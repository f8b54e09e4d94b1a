import { readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { checkShown } from "./check-shown.ts";
import { makeGallery, PAGE_FILE } from "./make-gallery.ts";
import { sections } from "./mistakes/all.ts";

const { page, told } = await makeGallery();

test("the gallery has at least 40 mistakes, each with a heading of its own in its section", () => {
  assert.ok(told.length >= 40);
  for (const { mistakes } of sections) assert.is(new Set(mistakes.map(({ heading }) => heading)).size, mistakes.length);
});

for (const { mistake, shown } of told) {
  test(`${mistake.heading}: the message begins with its place, fits a screen, and helps`, () => {
    assert.equal(checkShown(mistake, shown), [], shown.message);
  });
}

test("docs/errors.md shows what is printed", () => {
  if (process.env["UPDATE_GOLDENS"] === "1") writeFileSync(PAGE_FILE, page);
  assert.fixture(page, readFileSync(PAGE_FILE, "utf8"), "run `npm run errors`, and look at what changed");
});

test("checkShown() finds what a message lacks", () => {
  const [{ mistake, shown }] = told as [(typeof told)[0]];
  const faults = (message: string): string[] => checkShown(mistake, { ...shown, message });
  assert.match(faults(`/tmp/a: ${shown.message}`).join(), "begins not with");
  assert.match(faults(shown.message.replace(/\n {2}hint: .*/, "")).join(), "no hint");
  assert.match(faults(`${shown.message}\n${"line\n".repeat(30)}`).join(), "more than a screen");
  assert.match(
    faults(`${shown.message}\n  at run (node:internal/modules/run_main:107)`).join(),
    "frame of the runtime",
  );
  assert.match(faults(`${shown.message} /tmp/floe-cli-x`).join(), "temporary path");
});

test.run();

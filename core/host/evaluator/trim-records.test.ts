import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Records } from "./record.ts";
import { ask, flakeIn, flakeText, makeFolder } from "./testing.ts";
import { trimRecords } from "./trim-records.ts";

const HOUR_MS = 3600 * 1000;
const DAY_MS = 24 * HOUR_MS;

/** A folder with these files, so many bytes and milliseconds of age each. */
function folderWith(files: Readonly<Record<string, readonly [size: number, ageMs: number]>>): string {
  const folder = makeFolder({});
  mkdirSync(`${folder}/modules`);
  for (const [name, [size, ageMs]] of Object.entries(files)) {
    writeFileSync(`${folder}/${name}`, "x".repeat(size));
    const time = new Date(Date.now() - ageMs);
    utimesSync(`${folder}/${name}`, time, time);
  }
  return folder;
}

const namesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name !== "modules")
    .sort();

test("trimRecords() removes what is old, and of too many bytes the oldest", () => {
  const folder = folderWith({
    "a.json": [10, 31 * DAY_MS],
    "b.json": [60, 3 * HOUR_MS],
    "b.plan.json": [60, 2 * HOUR_MS],
    "modules/c.json": [60, HOUR_MS],
  });
  trimRecords(folder);
  assert.equal(namesIn(folder), ["b.json", "b.plan.json", "modules/c.json"]);
  trimRecords(folder, { maxBytes: 120, maxAgeMs: DAY_MS });
  assert.equal(namesIn(folder), ["b.plan.json", "modules/c.json"]);
});

test("trimRecords() removes what killed writers left, and leaves what is being written", () => {
  const folder = folderWith({ "a.json.tmp-1-1": [1, 2 * HOUR_MS], "a.json.tmp-2-1": [1, 1000] });
  trimRecords(folder);
  assert.equal(namesIn(folder), ["a.json.tmp-2-1"]);
  trimRecords(`${folder}/nothing`);
});

test("Records keep() trims, so that ever new questions do not grow without end", async () => {
  const flake = flakeIn(makeFolder({ "flake.config.ts": flakeText("{ a: 1 }") }));
  const folder = folderWith({ "old.json": [10, 31 * DAY_MS] });
  const records = new Records(folder);
  const result = await ask(flake, "a");
  // One in sixteen trims: of so many hardly ever none does.
  for (let i = 0; i < 400 && existsSync(`${folder}/old.json`); i++)
    records.keep(flake, { want: "value", attribute: `a${i}`, candidates: [] }, result, { trees: [], ways: [] });
  assert.not.ok(existsSync(`${folder}/old.json`));
});

test.run();

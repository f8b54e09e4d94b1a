import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";

/** Run the vectors of a folder that holds these files. */
function run(files: Readonly<Record<string, unknown>>): {
  readonly lines: readonly string[];
  readonly code: number | null;
} {
  const folder = mkdtempSync(join(tmpdir(), "floe-vectors-"));
  try {
    for (const [name, contents] of Object.entries(files))
      writeFileSync(join(folder, name), typeof contents === "string" ? contents : JSON.stringify(contents));
    const child = spawnSync(process.execPath, [join(import.meta.dirname, "run.ts"), folder], { encoding: "utf8" });
    return { lines: child.stdout.trimEnd().split("\n"), code: child.status };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const version = (result: number): unknown => ({
  cases: [
    { a: "1", b: "2", result, reversed: 1 },
    { a: "1", b: "1", result: 0, reversed: 0 },
  ],
  parseDrvName: [{ input: "a-1", name: "a", version: "1" }],
  splitVersion: [{ input: "1.0", components: ["1", "0"] }],
});

test("every case of a file counts once, and files that are missing are named", () => {
  const { lines, code } = run({ "versions.json": version(-1) });
  assert.is(code, 0);
  assert.is(lines.at(-1), "4 passed, 0 failed");
  assert.ok(lines.includes("nar.json: not there"));
});

test("a case that fails is named with what was expected and what was found", () => {
  const { lines, code } = run({ "versions.json": version(1) });
  assert.is(code, 1);
  assert.is(lines[0], 'versions.json: compare "1" "2": order: expected 1, found -1');
  assert.is(lines.at(-1), "3 passed, 1 failed");
});

test("what cannot be read, is not known or has no cases fails", () => {
  const broken = {
    "versions.json": version(-1),
    "nar.json": "{",
    "other.json": {},
    "encodings.json": { cases: [], parse: [] },
  };
  const { lines, code } = run(broken);
  assert.is(code, 1);
  assert.ok(lines.some((line) => line.startsWith("nar.json: the rest: it cannot be read:")));
  assert.ok(lines.includes("other.json: all cases: this file is not known, and nothing in it was checked"));
  assert.ok(lines.includes("encodings.json: all cases: it has no cases"));
  assert.is(lines.at(-1), "4 passed, 3 failed");
});

test("a case of which nothing is known fails, and so does a folder without files", () => {
  const { lines } = run({ "nar.json": { cases: [{ name: "x" }], malformed: [] } });
  assert.match(lines[0] ?? "", /^nar\.json: x: error: /);
  const empty = run({});
  assert.is(empty.code, 1);
  assert.is(empty.lines.at(-1), "0 passed, 1 failed");
});

test.run();

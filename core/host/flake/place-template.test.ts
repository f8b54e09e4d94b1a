import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import { makeFolder } from "../evaluator/testing.ts";
import { placeTemplate } from "./place-template.ts";

const origin = 'git+file:///a "b"';

function template(): string {
  const from = makeFolder({
    "flake.config.ts": `inputs: { floe: "path:../..", other: "path:../other", own: 'path:..' }`,
    "src/run.sh": "#!/bin/sh\n",
  });
  chmodSync(`${from}/src/run.sh`, 0o555);
  symlinkSync("src/run.sh", `${from}/run`);
  mkdirSync(`${from}/empty`);
  return from;
}

const names = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();

test("placeTemplate() copies files, links and folders, and writes where the template came from", () => {
  const to = `${makeFolder({})}/new/flake`;
  assert.equal(placeTemplate({ from: template(), to, origin }), ["run", "src/run.sh", "flake.config.ts"]);
  assert.equal(names(to), ["empty", "flake.config.ts", "run", "src", "src/run.sh"]);
  assert.is(lstatSync(`${to}/src/run.sh`).mode & 0o777, 0o755);
  const own = JSON.stringify(origin);
  assert.is(
    readFileSync(`${to}/flake.config.ts`, "utf8"),
    `inputs: { floe: ${own}, other: "path:../other", own: ${own} }`,
  );
});

test("placeTemplate() completes a copy that was begun, and leaves other files alone", () => {
  const to = makeFolder({ "src/run.sh": "#!/bin/sh\n", notes: "mine" });
  assert.equal(placeTemplate({ from: template(), to, origin }), ["run", "flake.config.ts"]);
  assert.is(readFileSync(`${to}/notes`, "utf8"), "mine");
  assert.equal(placeTemplate({ from: template(), to, origin }), []);
});

test("placeTemplate() writes nothing where a file is in the way, and names all that are", () => {
  const to = makeFolder({ run: "mine", empty: "a file", "flake.config.ts": "mine" });
  let error: CodedError | undefined;
  try {
    placeTemplate({ from: template(), to, origin });
  } catch (thrown) {
    error = thrown as CodedError;
  }
  assert.is(error?.code, "flake.template-in-the-way");
  assert.equal(error?.details, ["empty", "run", "flake.config.ts"]);
  assert.equal(names(to), ["empty", "flake.config.ts", "run"]);
});

test("placeTemplate() takes back what it wrote when it cannot go on", () => {
  const to = makeFolder({});
  const outside = makeFolder({});
  // A link in the place of a folder: files are never written through it.
  symlinkSync(outside, `${to}/src`);
  let code: string | undefined;
  try {
    placeTemplate({ from: template(), to, origin });
  } catch (thrown) {
    code = (thrown as CodedError).code;
  }
  assert.is(code, "flake.template-in-the-way");
  assert.equal([names(to), names(outside)], [["src"], []]);
});

test("placeTemplate() refuses a template that is a file", () => {
  const folder = makeFolder({});
  writeFileSync(`${folder}/file`, "");
  let code: string | undefined;
  try {
    placeTemplate({ from: `${folder}/file`, to: folder, origin });
  } catch (thrown) {
    code = (thrown as CodedError).code;
  }
  assert.is(code, "flake.template-not-a-folder");
});

test.run();

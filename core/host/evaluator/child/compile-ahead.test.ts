import { spawnSync } from "node:child_process";
import { test } from "uvu";
import * as assert from "uvu/assert";

/** What a program of its own prints, where `tag()` tells V8's flags apart: code that comes compiled is taken only under the same. */
function printed(program: string): unknown {
  const script = `
    import { cachedDataVersionTag as tag } from "node:v8";
    import { compileAhead, forgetAsUsual, keepLearnt } from ${JSON.stringify(`${import.meta.dirname}/compile-ahead.ts`)};
    const usual = tag();
    ${program}`;
  const words = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", script];
  const { stdout, stderr } = spawnSync(process.execPath, words, { encoding: "utf8" });
  assert.is(stderr, "");
  return JSON.parse(stdout);
}

test("compileAhead() has other flags while it loads, and the usual ones afterwards, also when loading fails", () => {
  const program = `
    let inside;
    compileAhead(() => { inside = tag(); });
    const after = tag();
    try { compileAhead(() => { throw new Error(); }); } catch {}
    console.log(JSON.stringify([inside === usual, after === usual, tag() === usual]));`;
  assert.equal(printed(program), [false, true, true]);
});

test("forgetAsUsual() undoes keepLearnt()", () => {
  const program = `
    keepLearnt();
    const kept = tag();
    forgetAsUsual();
    console.log(JSON.stringify([kept === usual, tag() === usual]));`;
  assert.equal(printed(program), [false, true]);
});

test.run();

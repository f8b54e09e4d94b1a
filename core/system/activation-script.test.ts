import { spawnSync } from "node:child_process";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { SELF, formatActivationScript, sortSnippets } from "./index.ts";

const snippet = (text: string, deps: string[] = [], supportsDryActivation = false) => ({
  text,
  deps,
  supportsDryActivation,
});

function run(snippets: Record<string, ReturnType<typeof snippet>>, action?: string) {
  const script = formatActivationScript({ shell: "/usr", path: ["/usr"], snippets }).replaceAll(SELF, "/the/system");
  return spawnSync("bash", ["-c", script], {
    encoding: "utf8",
    env: action === undefined ? {} : { FLOE_ACTION: action },
  });
}

test("sortSnippets() puts dependencies first, and free ones by name", () => {
  const order = sortSnippets({ c: snippet(""), a: snippet("", ["z"]), z: snippet("", ["m"]), m: snippet("") });
  assert.equal(order, ["m", "z", "a", "c"]);
});

test("activation.cycle, activation.unknown-dep", () => {
  const code = (expected: string) => (error: { code: string }) => error.code === expected;
  assert.throws(() => sortSnippets({ a: snippet("", ["b"]), b: snippet("", ["a"]) }), code("activation.cycle"));
  assert.throws(() => sortSnippets({ a: snippet("", ["nope"]) }), code("activation.unknown-dep"));
});

test("one failing snippet does not hide the others, and activation ends with 2", () => {
  const done = run({
    a: snippet("echo a; false; echo not here"),
    b: snippet("echo b", ["a"]),
    c: snippet("echo $system; exit 3"),
  });
  assert.is(done.stdout, "a\nb\n/the/system\n");
  assert.is(done.status, 2);
  assert.match(done.stderr, /activation script "a" failed with status 1\n/);
  assert.match(done.stderr, /activation failed: a c\n/);
});

test("activation ends with 0 when all is well; snippets do not see each other's variables", () => {
  const done = run({ a: snippet("x=1"), b: snippet("[[ -v x ]] || echo none"), empty: snippet("") });
  assert.is(done.status, 0, done.stderr);
  assert.is(done.stdout, "none\n");
});

test("a dry run runs only what supports it", () => {
  const done = run({ a: snippet("echo a"), b: snippet("echo b $FLOE_ACTION", [], true) }, "dry-activate");
  assert.is(done.stdout, "b dry-activate\n");
});

test.run();

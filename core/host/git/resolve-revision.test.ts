import { test } from "uvu";
import * as assert from "uvu/assert";
import type { GitReference } from "../../flake/index.ts";
import type { GitBackend } from "./backend.ts";
import { resolveRevision } from "./resolve-revision.ts";

const id = (n: number): string => String(n).padStart(40, "0");
const refs = new Map([
  ["HEAD", id(1)],
  ["refs/heads/main", id(1)],
  ["refs/heads/develop", id(2)],
  ["refs/tags/v1.4.0", id(3)],
  ["refs/tags/v1.10.2", id(4)],
  ["refs/tags/1.11.0-rc.1", id(5)],
  ["refs/tags/name-2.0.0", id(6)],
  ["refs/tags/nightly", id(7)],
]);
const backend: GitBackend = {
  listRefs: async () => ({ defaultBranch: "refs/heads/main", refs }),
  fetchTree: () => Promise.reject(new Error("not asked for")),
};
const resolve = (more: Partial<GitReference>) =>
  resolveRevision({ kind: "git", url: "https://example.org/a", ...more }, backend);
const failure = async (more: Partial<GitReference>): Promise<{ code: string; hint: string }> => {
  try {
    await resolve(more);
  } catch (error) {
    return error as { code: string; hint: string };
  }
  throw new Error("found");
};

test("resolveRevision() takes a revision as it is, a branch before a tag, and else the default branch", async () => {
  assert.equal(await resolve({ rev: id(9) }), { rev: id(9) });
  assert.equal(await resolve({ ref: "develop" }), { rev: id(2), ref: "refs/heads/develop" });
  assert.equal(await resolve({ ref: "nightly" }), { rev: id(7), ref: "refs/tags/nightly" });
  assert.equal(await resolve({ ref: "refs/tags/v1.4.0" }), { rev: id(3), ref: "refs/tags/v1.4.0" });
  assert.equal(await resolve({}), { rev: id(1), ref: "refs/heads/main" });
});

test("resolveRevision() takes the newest tag of a range, not the last by letters", async () => {
  assert.equal(await resolve({ semver: "^1.4" }), { rev: id(4), ref: "refs/tags/v1.10.2" });
  assert.equal(await resolve({ semver: ">=2" }), { rev: id(6), ref: "refs/tags/name-2.0.0" });
});

test("resolveRevision() says what is near, or there", async () => {
  assert.equal((await failure({ ref: "developp" })).code, "git.ref-missing");
  assert.match((await failure({ ref: "developp" })).hint, '"develop"');
  assert.match((await failure({ ref: "other" })).hint, "main, develop");
  assert.is(
    (await failure({ ref: "2.0" })).hint,
    "Its branches are: main, develop; its tags: name-2.0.0, v1.10.2, v1.4.0, nightly, 1.11.0-rc.1.",
  );
  assert.is((await failure({ semver: "^7" })).code, "git.no-version");
  assert.match((await failure({ semver: "^7" })).hint, "2.0.0, 1.11.0-rc.1");
  assert.is((await failure({ semver: "one" })).code, "git.no-version");
});

test.run();

/** Inputs that are unusual, and servers that change what they said. */
import { execFileSync } from "node:child_process";
import { readFileSync, renameSync, rmSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { LockFile, LockNode } from "../../flake/index.ts";
import { errorOf, writeFiles } from "../evaluator/testing.ts";
import { serveRepositories, temporaryFolder, TestRepository, type TestServer } from "../git/testing.ts";
import { openLocalStore, type LocalStore } from "../local-store/index.ts";
import { openFlake } from "./open-flake.ts";
import { readCheckedLock } from "./testing.ts";

const test = suite("odd inputs");
const root = temporaryFolder();
let server: TestServer;
let store: LocalStore;
test.before(async () => {
  server = await serveRepositories(`${root}/served`);
  store = openLocalStore({ root: temporaryFolder() });
});
test.after(async () => {
  store.close();
  await server.close();
});

const git = (cwd: string, ...words: string[]): void => void execFileSync("git", words, { cwd, stdio: "ignore" });

/** A flake with these sources as the inputs `a`, `a1`, `a2` …: locking them all is one evaluation. */
function flake(...urls: readonly string[]): string {
  const folder = temporaryFolder();
  const inputs = Object.fromEntries(urls.map((url, i) => [nameOf(i), { url, flake: false }]));
  const text = `import { defineFlake } from "#floe/flake";\nexport default defineFlake({\n  inputs: ${JSON.stringify(inputs)},\n  outputs: ({ inputs }) => ({ path: \`\${inputs.a}\`, paths: Object.values(inputs).map(String) }),\n});\n`;
  writeFiles(folder, { "flake.config.ts": text });
  return folder;
}
const open = (folder: string, into = store) =>
  openFlake({ reference: folder, cwd: "/", store: into, records: false, memory: false });
const nameOf = (i: number): string => (i === 0 ? "a" : `a${i}`);
const revOf = (folder: string, input = "a"): unknown => {
  const node = (readCheckedLock(`${folder}/lock.json`) as LockFile).nodes[input] as LockNode;
  return "rev" in node.locked ? node.locked.rev : undefined;
};
/** Lock sources, and hold the commit of each against what it has to be. */
async function checkRevs(expected: readonly (readonly [url: string, rev: string])[]): Promise<void> {
  const folder = flake(...expected.map(([url]) => url));
  await (await open(folder)).relock();
  expected.forEach(([url, rev], i) => assert.is(revOf(folder, nameOf(i)), rev, url));
}
/** The texts of some sources. */
async function textsOf(...urls: readonly string[]): Promise<string[]> {
  const { value } = await (await open(flake(...urls))).evaluate({ attribute: "paths" });
  return (value as readonly string[]).map((path) => readFileSync(`${store.realPath(path)}/text`, "utf8"));
}
async function textOf(folder: string): Promise<string> {
  const { value } = await (await open(folder)).evaluate({ attribute: "path" });
  return readFileSync(`${store.realPath(value as string)}/text`, "utf8");
}
const codeOf = (run: Promise<unknown>): Promise<unknown> =>
  run.then(
    () => "nothing",
    (error: { code?: string }) => error.code,
  );

test("repositories and folders with any name are inputs", async () => {
  const names = ["two words", "ünï – 雪", "a%20b", "it's", "plus+and&", "dots..", "[x]{y}"];
  const expected = names.flatMap((name) => {
    const rev = new TestRepository(`${root}/served/${name}`).write({ text: name }).commit();
    const quoted = encodeURIComponent(name);
    return [`git+file://${root}/served/${quoted}`, `git+${server.url}${quoted}`].map((url) => [url, rev] as const);
  });
  await checkRevs(expected);
  assert.equal(await textsOf(...names.map((name) => `path:${root}/served/${name}`)), names);
});

test("slashes at the end of an address mean nothing", async () => {
  const rev = new TestRepository(`${root}/served/slashes`).write({ text: "1" }).commit();
  const ends = ["/", "///"];
  const urls = ends.flatMap((end) => [`git+file://${root}/served/slashes${end}`, `git+${server.url}slashes${end}`]);
  await checkRevs(urls.map((url) => [url, rev]));
  assert.equal(await textsOf(...ends.map((end) => `path:${root}/served/slashes${end}`)), ["1", "1"]);
});

test("an empty repository has nothing to lock, and says so", async () => {
  new TestRepository(`${root}/served/empty`);
  for (const url of [`git+file://${root}/served/empty`, `git+${server.url}empty`])
    assert.is(await codeOf((await open(flake(url))).relock()), "git.ref-missing", url);
});

test("shallow and bare clones, and those that stand at no branch, are what their HEAD says", async () => {
  const whole = new TestRepository(`${root}/served/whole`);
  const first = whole.write({ text: "1" }).commit();
  const second = whole.write({ text: "2" }).commit();
  git(`${root}/served`, "clone", "--quiet", "--depth", "1", `file://${root}/served/whole`, "shallow");
  git(`${root}/served`, "clone", "--quiet", "--bare", "whole", "bare.git");
  git(`${root}/served`, "clone", "--quiet", "whole", "detached");
  git(`${root}/served/detached`, "checkout", "--quiet", "--detach", first);
  const heads = { shallow: second, "bare.git": second, detached: first };
  const expected = Object.entries(heads).flatMap(([name, rev]) =>
    [`git+file://${root}/served/${name}`, `git+${server.url}${name}`].map((url) => [url, rev] as const),
  );
  await checkRevs(expected);
});

test("a tag that moved stays what it was in the lock until it is updated", async () => {
  const repository = new TestRepository(`${root}/served/tagged`);
  const first = repository.write({ text: "1" }).commit();
  repository.git("tag", "v1");
  const folder = flake(`git+${server.url}tagged?ref=v1`);
  await (await open(folder)).relock();
  const second = repository.write({ text: "2" }).commit();
  repository.git("tag", "--force", "v1");
  assert.is(await textOf(folder), "1");
  await (await open(folder)).relock();
  assert.is(revOf(folder), first);
  const { changes } = await (await open(folder)).relock({ update: "all" });
  assert.equal([revOf(folder), changes.length], [second, 1]);
});

test("a branch that was rewritten: what is locked needs no server, and its loss is told where nobody has it", async () => {
  const repository = new TestRepository(`${root}/served/forced`);
  repository.write({ text: "0" }).commit();
  const lost = repository.write({ text: "1" }).commit();
  const folder = flake(`git+${server.url}forced`);
  await (await open(folder)).relock();
  repository.git("reset", "--quiet", "--hard", "HEAD~1");
  const kept = repository.write({ text: "2" }).commit();
  repository.git("reflog", "expire", "--expire=all", "--all");
  repository.git("gc", "--quiet", "--prune=now");
  assert.is(await textOf(folder), "1");
  const elsewhere = openLocalStore({ root: temporaryFolder() });
  try {
    const error = await errorOf((await open(folder, elsewhere)).evaluate({ attribute: "path" }));
    assert.is(error.code, "git.rev-missing");
    assert.match(error.hint ?? "", "floe flake update");
    // What the reference says an update would ask for again.
    const named = await errorOf((await open(flake(`git+${server.url}forced?rev=${"0".repeat(40)}`))).relock());
    assert.is(named.code, "git.rev-missing");
    assert.is(named.hint, "Correct the revision behind ?rev=, or leave it out for the newest one.");
  } finally {
    elsewhere.close();
  }
  await (await open(folder)).relock({ update: "all" });
  assert.equal([revOf(folder) === lost, revOf(folder)], [false, kept]);
});

test("a repository that moved away is missed only when something has to be fetched", async () => {
  const repository = new TestRepository(`${root}/served/moving`);
  repository.write({ text: "1" }).commit();
  const folder = flake(`git+${server.url}moving`);
  await (await open(folder)).relock();
  renameSync(repository.folder, `${repository.folder}-away`);
  assert.is(await textOf(folder), "1");
  assert.is(await codeOf((await open(folder)).relock({ update: "all" })), "git.no-repository");
});

test("an archive without a folder at its top, or with several, is taken as it is", async () => {
  const folder = temporaryFolder();
  writeFiles(folder, { "flat/text": "flat", "flat/other": "x", "many/one/a": "1", "many/two/text": "2" });
  git(folder, "init", "--quiet");
  execFileSync("tar", ["-czf", `${folder}/flat.tar.gz`, "-C", `${folder}/flat`, "text", "other"]);
  execFileSync("tar", ["-czf", `${folder}/many.tar.gz`, "-C", `${folder}/many`, "one", "two"]);
  assert.is(await textOf(flake(`tarball+file://${folder}/flat.tar.gz`)), "flat");
  const { value } = await (await open(flake(`tarball+file://${folder}/many.tar.gz`))).evaluate({ attribute: "path" });
  assert.is(readFileSync(`${store.realPath(value as string)}/two/text`, "utf8"), "2");
  rmSync(folder, { recursive: true });
});

test.run();

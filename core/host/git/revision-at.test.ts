import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseReference } from "../../flake/index.ts";
import { NO_ACCESS } from "../fetch/access.ts";
import { revisionAt } from "./revision-at.ts";
import { serveRepositories, temporaryFolder, TestRepository, type TestServer } from "./testing.ts";

const test = suite("revisionAt");
const root = temporaryFolder();
const repository = new TestRepository(`${root}/tools`);
const revisions = ["1", "2", "3"].map((text) => {
  const rev = repository.write({ a: text }).commit();
  repository.git("tag", "--annotate", "--message", "a version", `v1.${text}.0`);
  return rev;
});
const [first, second, third] = revisions as [string, string, string];
const timeOf = (rev: string): number => Number(repository.git("show", "--no-patch", "--format=%ct", rev));
let server: TestServer;
test.before(async () => {
  server = await serveRepositories(root);
});
test.after(() => server.close());

function at(text: string, seconds: number): Promise<string | undefined> {
  const reference = parseReference(text);
  if (reference.kind !== "git") throw new Error(text);
  return revisionAt(reference, { seconds, access: NO_ACCESS });
}

test("revisionAt() finds the last commit of a branch by then", async () => {
  for (const address of [`git+file://${root}/tools`, `git+${server.url}tools`, `git+${server.url}tools?ref=main`]) {
    assert.is(await at(address, timeOf(second)), second, address);
    assert.is(await at(address, timeOf(second) - 1), first);
    assert.is(await at(address, timeOf(third) + 1e9), third);
  }
});

test("revisionAt() finds the newest version of a range by then", async () => {
  assert.is(await at(`git+${server.url}tools?semver=^1.0`, timeOf(second)), second);
  assert.is(await at(`git+${server.url}tools?semver=~1.1`, timeOf(third)), first);
});

test("revisionAt() goes along first parents: what was merged later was not there", async () => {
  const folder = temporaryFolder();
  const merging = new TestRepository(`${folder}/merging`);
  const base = merging.write({ a: "1" }).commit();
  merging.git("checkout", "--quiet", "-b", "side");
  const side = merging.write({ b: "1" }).commit();
  merging.git("checkout", "--quiet", "main");
  merging.write({ a: "2" }).commit();
  merging.git("merge", "--quiet", "--no-edit", "side");
  const time = Number(merging.git("show", "--no-patch", "--format=%ct", side));
  assert.is(await at(`git+file://${folder}/merging`, time), base);
});

test("revisionAt() leaves alone what never moves", async () => {
  for (const query of [`?rev=${first}`, "?ref=v1.2.0"])
    assert.is(await at(`git+${server.url}tools${query}`, timeOf(third)), undefined);
});

test("revisionAt() takes no more than it may", async () => {
  const reference = { kind: "git", url: `file://${root}/tools` } as const;
  const asked = revisionAt(reference, { seconds: timeOf(third), access: NO_ACCESS, limits: { commitBytes: 10 } });
  assert.is(await asked.catch((error: { code?: string }) => error.code), "git.too-large");
});

test("git.too-young, git.no-version, git.no-repository: there was nothing yet", async () => {
  const code = (text: string, seconds = timeOf(first) - 1): Promise<unknown> =>
    at(text, seconds).catch((error: { code?: string }) => error.code);
  assert.is(await code(`git+${server.url}tools`), "git.too-young");
  assert.is(await code(`git+${server.url}tools`, 86_399), "git.too-young");
  assert.is(await code(`git+${server.url}tools?semver=^1.0`), "git.no-version");
  assert.is(await code(`git+${server.url}nothing`), "git.no-repository");
});

test.run();

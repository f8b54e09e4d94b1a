import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseReference } from "../../flake/index.ts";
import { type Access, NO_ACCESS } from "../fetch/access.ts";
import { cloneRepository, loginFor } from "./clone-repository.ts";
import { serveRepositories, temporaryFolder, TestRepository, type TestServer } from "./testing.ts";

const test = suite("cloneRepository");
const root = temporaryFolder();
const repository = new TestRepository(`${root}/tools`);
const first = repository.write({ a: "1" }).commit();
repository.git("tag", "v1.0.0");
const second = repository.write({ a: "2" }).commit();
repository.git("checkout", "--quiet", "-b", "next/one");
const third = repository.write({ a: "3" }).commit();
repository.git("checkout", "--quiet", "main");
let server: TestServer;
let closed: TestServer;

test.before(async () => {
  server = await serveRepositories(root);
  closed = await serveRepositories(root, { login: { username: "anna", password: "p@ss" } });
});
test.after(async () => {
  await server.close();
  await closed.close();
});

const git = (folder: string, ...args: string[]): string =>
  execFileSync("git", ["-C", folder, ...args], { encoding: "utf8" }).trim();

async function clone(text: string, access: Access = NO_ACCESS): Promise<{ rev: string; destination: string }> {
  const reference = parseReference(text);
  if (reference.kind !== "git") throw new Error(text);
  const destination = `${temporaryFolder()}/in/here`;
  const rev = await cloneRepository({ reference, destination, access });
  // Nothing else is left beside it.
  assert.equal(readdirSync(`${destination}/..`), ["here"]);
  assert.is(git(destination, "status", "--porcelain"), "");
  return { rev, destination };
}

test("cloneRepository() checks out the default branch, with its history", async () => {
  const { rev, destination } = await clone(`git+${server.url}tools`);
  assert.is(rev, second);
  assert.is(git(destination, "log", "--format=%H"), `${second}\n${first}`);
  assert.is(git(destination, "rev-parse", "--abbrev-ref", "HEAD@{upstream}"), "origin/main");
  assert.is(git(destination, "remote", "get-url", "origin"), `${server.url}tools`);
});

test("cloneRepository() takes a branch as a branch, and a tag, a range and a commit by themselves", async () => {
  const branch = await clone(`git+file://${root}/tools?ref=next/one`);
  assert.equal([branch.rev, git(branch.destination, "branch", "--show-current")], [third, "next/one"]);
  for (const text of ["?ref=v1.0.0", "?semver=^1.0", `?rev=${first}`, `?ref=main&rev=${first}`]) {
    const one = await clone(`git+${server.url}tools${text}`);
    assert.equal([one.rev, git(one.destination, "branch", "--show-current")], [first, ""], text);
    assert.is(readFileSync(`${one.destination}/a`, "utf8"), "1");
  }
});

test("cloneRepository() says who asks, and writes that nowhere", async () => {
  const known: Access = { ...NO_ACCESS, known: () => ({ username: "anna", password: "p@ss" }) };
  const { rev, destination } = await clone(`git+${closed.url}tools`, known);
  assert.is(rev, second);
  assert.not.match(readFileSync(`${destination}/.git/config`, "utf8"), /anna|extraHeader/i);
  const refused = await clone(`git+${closed.url}tools`).catch((error: unknown) => error);
  assert.is((refused as { code?: string }).code, "git.unreachable");
});

test("loginFor() leaves settings of git that the environment has", () => {
  const known: Access = { ...NO_ACCESS, known: () => ({ username: "a", password: "b" }) };
  const own = { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "floe.word", GIT_CONFIG_VALUE_0: "kept" };
  Object.assign(process.env, own);
  try {
    const env = { ...process.env, ...loginFor("https://git.example.org/a", known) };
    const ask = (name: string): string => execFileSync("git", ["config", name], { env, encoding: "utf8" }).trim();
    assert.is(ask("floe.word"), "kept");
    assert.is(ask("http.https://git.example.org/.extraHeader"), "Authorization: Basic YTpi");
  } finally {
    for (const name of Object.keys(own)) delete process.env[name];
  }
});

test("cloneRepository() leaves nothing behind when it cannot", async () => {
  const folder = temporaryFolder();
  const make = (text: string, destination: string): Promise<unknown> =>
    cloneRepository({ reference: parseReference(text) as never, destination, access: NO_ACCESS }).catch(
      (error: { code?: string }) => error.code,
    );
  assert.is(await make(`git+file://${root}/tools`, folder), "git.clone-in-the-way");
  assert.is(await make(`git+${server.url}nothing`, `${folder}/a`), "git.no-repository");
  assert.is(await make(`git+${server.url}tools?ref=none`, `${folder}/a`), "git.ref-missing");
  // Nor what one that was killed has left.
  mkdirSync(`${folder}/.floe-scratch-killed/clone`, { recursive: true });
  assert.is(await make(`git+${server.url}tools?rev=${"0".repeat(40)}`, `${folder}/a`), "git.rev-missing");
  assert.not.ok(existsSync(`${folder}/a`));
  assert.equal(readdirSync(folder), []);
});

test("cloneRepository() takes no more than it may, and gives up a server that stops speaking", async () => {
  const folder = temporaryFolder();
  // Bytes that cannot be compressed.
  new TestRepository(`${folder}/large`).write({ large: randomBytes(4_000_000).toString("latin1") }).commit();
  const make = (url: string, limits: object): Promise<string> =>
    cloneRepository({ reference: { kind: "git", url }, destination: `${folder}/a`, access: NO_ACCESS, limits }).then(
      () => "cloned",
      (error: { code?: string; message: string }) => `${error.code} ${error.message}`,
    );
  assert.match(await make(`file://${folder}/large`, { commitBytes: 1_000_000 }), /^git\.too-large .*1000000 bytes/);
  // In place of ssh: lists the refs, and is mute when it is asked for more.
  const script = `#!/bin/sh\n[ -e ${folder}/listed ] && exec sleep 1000\n: > ${folder}/listed\neval "exec $2"\n`;
  writeFileSync(`${folder}/mute`, script, { mode: 0o755 });
  Object.assign(process.env, { GIT_SSH_COMMAND: `${folder}/mute`, GIT_SSH_VARIANT: "simple" });
  try {
    // Where the host is so slow that it does not list the refs in time, it has more of it.
    let stallMs = 300;
    const ask = (): Promise<string> => make(`ssh://git.example.org${folder}/large`, { stallMs });
    let said = await ask();
    for (; stallMs < 20_000 && !existsSync(`${folder}/listed`); said = await ask()) stallMs *= 4;
    assert.match(said, new RegExp(`^git\\.unreachable .*it sent nothing for ${stallMs / 1000} seconds`));
  } finally {
    delete process.env["GIT_SSH_COMMAND"];
    delete process.env["GIT_SSH_VARIANT"];
  }
  assert.equal(readdirSync(folder).sort(), ["large", "listed", "mute"]);
});

test("cloneRepository() fills in submodules where they are asked for", async () => {
  const outer = new TestRepository(`${root}/outer`);
  outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../tools", "inner");
  outer.commit();
  for (const address of [`git+${server.url}outer`, `git+file://${root}/outer`]) {
    const { destination } = await clone(`${address}?submodules=1`);
    assert.is(readFileSync(`${destination}/inner/a`, "utf8"), "2");
  }
  const greedy = new TestRepository(`${root}/greedy`);
  const here = `file://${root}/tools`;
  greedy.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", here, "inner");
  greedy.commit();
  const refused = await clone(`git+${server.url}greedy?submodules=1`).catch((error: unknown) => error);
  assert.is((refused as { code?: string }).code, "git.unreachable");
});

test.run();

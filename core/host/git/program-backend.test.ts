import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import { describeGitBackend } from "./backend.contract.ts";
import { makeProgramBackend, runGit } from "./program-backend.ts";
import { temporaryFolder, TestRepository } from "./testing.ts";
import type { TreeLimits } from "./write-tree.ts";

const programBackend = makeProgramBackend();
const errorOf = (run: Promise<unknown>): Promise<CodedError> =>
  run.then(
    () => assert.unreachable("expected an error") as never,
    (error: CodedError) => error,
  );

describeGitBackend("programBackend", programBackend, async (root) => ({
  url: `file://${root}/`,
  close: async () => {},
}));

test("programBackend takes no more than it may", async () => {
  const root = temporaryFolder();
  const repository = new TestRepository(`${root}/repo`);
  // Bytes that cannot be compressed.
  const rev = repository.write({ large: randomBytes(4_000_000).toString("latin1") }).commit();
  const url = `file://${root}/repo`;
  const small = makeProgramBackend({ commitBytes: 1_000_000, refsBytes: 10 });
  const tree = await errorOf(small.fetchTree({ url, rev, destination: `${root}/tree` }));
  assert.equal(
    [tree.code, tree.message],
    ["git.too-large", `Cannot read the git repository "${url}": it sends more than 1000000 bytes`],
  );
  assert.is((await errorOf(small.listRefs(url))).code, "git.too-large");
});

test("programBackend unfolds no tree that is larger than any source", async () => {
  const root = temporaryFolder();
  const rev = new TestRepository(`${root}/repo`).write({ a: "x".repeat(1000), "b/c": "y" }).commit();
  const ask = (tree: TreeLimits): Promise<unknown> =>
    makeProgramBackend({ tree }).fetchTree({ url: `file://${root}/repo`, rev, destination: `${root}/tree` });
  for (const tree of [
    { entries: 2, bytes: 10_000 },
    { entries: 10, bytes: 1000 },
  ]) {
    assert.is((await errorOf(ask(tree))).code, "git.too-large");
    assert.not.ok(existsSync(`${root}/tree`));
  }
  await ask({ entries: 3, bytes: 1001 });
});

test("programBackend counts folders that hold nothing but folders", async () => {
  const root = temporaryFolder();
  const repository = new TestRepository(`${root}/repo`);
  const treeOf = (listing: string): string =>
    execFileSync("git", ["mktree"], { cwd: repository.folder, input: listing, encoding: "utf8" }).trim();
  let tree = treeOf("");
  for (let level = 0; level < 3; level++)
    tree = treeOf([..."abcdefghij"].map((name) => `040000 tree ${tree}\t${name}\n`).join(""));
  const rev = repository.git("commit-tree", "-m", "folders", tree);
  repository.git("update-ref", "refs/heads/main", rev);
  const ask = (entries: number): Promise<unknown> =>
    makeProgramBackend({ tree: { entries, bytes: 0 } }).fetchTree({
      url: `file://${root}/repo`,
      rev,
      destination: `${root}/tree${entries}`,
    });
  assert.is((await errorOf(ask(1109))).code, "git.too-large");
  await ask(1110);
});

test("git.rev-missing: git cannot list what came", async () => {
  const root = temporaryFolder();
  const rev = new TestRepository(`${root}/repo`).write({ a: "1" }).commit();
  const path = process.env["PATH"] ?? "";
  // A git that has all but this command.
  const script = `#!/bin/sh\ncase " $* " in *" ls-tree "*) exit 1 ;; esac\nPATH='${path}' exec git "$@"\n`;
  writeFileSync(`${root}/git`, script, { mode: 0o755 });
  process.env["PATH"] = `${root}:${path}`;
  try {
    const fetched = programBackend.fetchTree({ url: `file://${root}/repo`, rev, destination: `${root}/tree` });
    assert.is((await errorOf(fetched)).code, "git.rev-missing");
  } finally {
    process.env["PATH"] = path;
  }
});

test("programBackend gives up a server that lets it in and says nothing, and leaves nobody who talks to it", async () => {
  const folder = temporaryFolder();
  // In place of ssh.
  const mute = `${folder}/mute`;
  writeFileSync(mute, `#!/bin/sh\necho $$ >> ${folder}/pids\nexec sleep 1000\n`, { mode: 0o755 });
  const before = process.env["GIT_SSH_COMMAND"];
  process.env["GIT_SSH_COMMAND"] = mute;
  try {
    const backend = makeProgramBackend({ stallMs: 300 });
    const url = "ssh://git@git.example.org/repo";
    const listed = await errorOf(backend.listRefs(url));
    assert.equal([listed.code, /it sent nothing for 0.9 seconds/.test(listed.message)], ["git.unreachable", true]);
    const destination = `${folder}/tree`;
    const fetched = await errorOf(backend.fetchTree({ url, rev: "1".repeat(40), ref: "refs/heads/main", destination }));
    assert.equal([fetched.code, /it sent nothing for 0.3 seconds/.test(fetched.message)], ["git.unreachable", true]);
  } finally {
    if (before === undefined) delete process.env["GIT_SSH_COMMAND"];
    else process.env["GIT_SSH_COMMAND"] = before;
  }
  for (const pid of readFileSync(`${folder}/pids`, "utf8").trim().split("\n"))
    for (let tries = 0; runs(pid); tries++) {
      assert.ok(tries < 500, `${pid} is left`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
});

function runs(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("sleep");
  } catch {
    return false;
  }
}

test("runGit() says what to install where there is no git", async () => {
  const path = process.env["PATH"];
  process.env["PATH"] = "/nowhere";
  try {
    await runGit(["--version"]);
    assert.unreachable("expected an error");
  } catch (error) {
    assert.is((error as CodedError).code, "git.program-missing");
    assert.match((error as CodedError).hint ?? "", "Install git");
  } finally {
    process.env["PATH"] = path;
  }
});

test.run();

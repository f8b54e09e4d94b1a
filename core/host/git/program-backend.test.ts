import { randomBytes } from "node:crypto";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import { describeGitBackend } from "./backend.contract.ts";
import { makeProgramBackend, runGit } from "./program-backend.ts";
import { temporaryFolder, TestRepository } from "./testing.ts";

const programBackend = makeProgramBackend();

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
  const errorOf = (run: Promise<unknown>): Promise<CodedError> =>
    run.then(
      () => assert.unreachable("expected an error") as never,
      (error: CodedError) => error,
    );
  const tree = await errorOf(small.fetchTree({ url, rev, destination: `${root}/tree` }));
  assert.equal(
    [tree.code, tree.message],
    ["git.too-large", `Cannot read the git repository "${url}": it sends more than 1000000 bytes`],
  );
  assert.is((await errorOf(small.listRefs(url))).code, "git.too-large");
});

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

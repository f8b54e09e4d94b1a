import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import { describeGitBackend } from "./backend.contract.ts";
import { programBackend, runGit } from "./program-backend.ts";

describeGitBackend("programBackend", programBackend, async (root) => ({
  url: `file://${root}/`,
  close: async () => {},
}));

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

import { mkdirSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findCheckoutRoot, listByLibrary, readCheckout } from "./checkout.ts";
import { TestRepository, temporaryFolder } from "./testing.ts";

function checkout(): string {
  const repository = new TestRepository(`${temporaryFolder()}/repo`);
  repository.write({ ".gitignore": "ignored\n*.log\n", tracked: "", "dir/tracked": "", "forced.log": "" });
  repository.git("add", "--force", "forced.log");
  repository.commit();
  repository.write({ new: "", "dir/new": "", "ignored/a": "", "b.log": "" });
  return repository.folder;
}

test("readCheckout() counts tracked files and untracked ones that are not ignored", async () => {
  const { files, untracked } = await readCheckout(checkout());
  assert.equal(files, [".gitignore", "dir/new", "dir/tracked", "forced.log", "new", "tracked"]);
  assert.equal(untracked, ["dir/new", "new"]);
});

test("readCheckout() counts the same without the git program", async () => {
  const { tracked, untracked } = await listByLibrary(checkout());
  assert.equal([...tracked].sort(), [".gitignore", "dir/tracked", "forced.log", "tracked"]);
  assert.equal([...untracked].sort(), ["dir/new", "new"]);
});

test("findCheckoutRoot() finds the top folder, or nothing", () => {
  const folder = checkout();
  mkdirSync(`${folder}/a/b`, { recursive: true });
  assert.is(findCheckoutRoot(`${folder}/a/b`), folder);
  assert.is(findCheckoutRoot(temporaryFolder()), undefined);
});

test.run();

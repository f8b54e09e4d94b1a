import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import { makeProgramBackend } from "./program-backend.ts";
import { temporaryFolder, TestRepository } from "./testing.ts";
import { type SshServer, startSshServer } from "./testing-ssh.ts";

const programBackend = makeProgramBackend();

const test = suite("git over ssh");
let server: SshServer | string;
const before = process.env["GIT_SSH_COMMAND"];

test.before(async () => {
  server = await startSshServer();
  if (typeof server === "string") console.log(`skipped: ${server}`);
});
test.after(async () => {
  if (before === undefined) delete process.env["GIT_SSH_COMMAND"];
  else process.env["GIT_SSH_COMMAND"] = before;
  if (typeof server !== "string") await server.stop();
});

test("a repository behind a real login gives its refs and the files of a commit", async () => {
  if (typeof server === "string") return;
  process.env["GIT_SSH_COMMAND"] = server.command;
  const repository = new TestRepository(`${temporaryFolder()}/repo`);
  const first = repository.write({ a: "one\n" }).commit();
  const second = repository.write({ a: "two\n" }).commit();
  const url = `${server.url}${repository.folder}`;
  const { defaultBranch, refs } = await programBackend.listRefs(url);
  assert.equal([defaultBranch, refs.get("refs/heads/main")], ["refs/heads/main", second]);
  const destination = `${temporaryFolder()}/tree`;
  await programBackend.fetchTree({ url, rev: first, ref: "refs/heads/main", destination });
  assert.is(readFileSync(`${destination}/a`, "utf8"), "one\n");
  assert.is(execFileSync("ls", ["-A", destination], { encoding: "utf8" }), "a\n");
});

test("a login that fails says why, and what would help", async () => {
  if (typeof server === "string") return;
  const failure = async (command: string): Promise<CodedError> => {
    process.env["GIT_SSH_COMMAND"] = command;
    return programBackend.listRefs(`${(server as SshServer).url}/nothing`).then(
      () => assert.unreachable("expected an error") as never,
      (error: CodedError) => error,
    );
  };
  const refused = await failure(server.wrongKeyCommand);
  assert.is(refused.code, "git.unreachable");
  assert.match(refused.message, "Permission denied");
  assert.match(refused.hint ?? "", /ssh -p \d+ root@127\.0\.0\.1$/);
  const stranger = await failure(server.strangerCommand);
  assert.match(stranger.message, "Host key verification failed");
  assert.match(stranger.hint ?? "", "accept it once");
  assert.is((await failure(server.command)).code, "git.no-repository");
});

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import { describeGitBackend } from "./backend.contract.ts";
import { makeHttpBackend } from "./http-backend.ts";
import { serveRepositories, temporaryFolder } from "./testing.ts";

const httpBackend = makeHttpBackend();

describeGitBackend("httpBackend", httpBackend, serveRepositories);

test("httpBackend names address and cause when the server is down, without the password", async () => {
  const server = await serveRepositories(temporaryFolder());
  await server.close();
  const url = server.url.replace("http://", "http://user:secret@");
  try {
    await httpBackend.listRefs(`${url}repo`);
    assert.unreachable();
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    assert.is(code, "git.unreachable");
    assert.match(message, server.url.replace("http://", "http://***@"));
    assert.match(message, "ECONNREFUSED");
    assert.not.match(message, "secret");
  }
});

test.run();

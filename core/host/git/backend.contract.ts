import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { GitBackend } from "./backend.ts";
import { TestRepository, temporaryFolder } from "./testing.ts";

export interface Served {
  /** Address of the folder with the repositories, with a final slash. */
  readonly url: string;
  close(): Promise<void>;
}

/** What every {@link GitBackend} does. `serve` makes the repositories below a folder reachable. */
export function describeGitBackend(name: string, backend: GitBackend, serve: (root: string) => Promise<Served>): void {
  const test = suite(name);
  let served: Served;
  let repository: TestRepository;
  let first: string;
  let second: string;

  test.before(async () => {
    const root = temporaryFolder();
    repository = new TestRepository(`${root}/repo`);
    first = repository
      .write({
        a: "one\n",
        "dir/run": { executable: "#!/bin/sh\n" },
        link: { link: "dir/run" },
        ".gitattributes": "*.txt text eol=crlf\nsecret export-ignore\n",
        "lines.txt": "a\nb\n",
        secret: "kept\n",
      })
      .commit();
    repository.git("tag", "--annotate", "v1.0.0", "--message", "v1.0.0");
    second = repository.write({ a: "two\n" }).commit();
    served = await serve(root);
  });
  test.after(() => served.close());

  const codeOf = async (run: Promise<unknown>): Promise<string> =>
    run.then(
      () => "no error",
      (error: { code: string }) => error.code,
    );

  test("listRefs() gives branches, the default one, and tags as commits", async () => {
    const { defaultBranch, refs } = await backend.listRefs(`${served.url}repo`);
    assert.is(defaultBranch, "refs/heads/main");
    assert.is(refs.get("refs/heads/main"), second);
    assert.is(refs.get("refs/tags/v1.0.0"), first);
  });

  test("fetchTree() gives the files of an old commit exactly as stored", async () => {
    const destination = `${temporaryFolder()}/tree`;
    const { lastModified } = await backend.fetchTree({
      url: `${served.url}repo`,
      rev: first,
      ref: "refs/heads/main",
      destination,
    });
    assert.is(lastModified, 1_700_086_400);
    assert.equal(readdirSync(destination).sort(), [".gitattributes", "a", "dir", "lines.txt", "link", "secret"]);
    assert.is(readFileSync(`${destination}/a`, "utf8"), "one\n");
    assert.is(readFileSync(`${destination}/lines.txt`, "utf8"), "a\nb\n", "no conversion of line endings");
    assert.is(lstatSync(`${destination}/dir/run`).mode & 0o111, 0o111);
    assert.is(lstatSync(`${destination}/a`).mode & 0o111, 0);
    assert.is(readlinkSync(`${destination}/link`), "dir/run");
  });

  test("fetchTree() refuses a revision that is not there", async () => {
    const destination = `${temporaryFolder()}/tree`;
    const code = await codeOf(
      backend.fetchTree({ url: `${served.url}repo`, rev: "1".repeat(40), ref: "refs/heads/main", destination }),
    );
    assert.is(code, "git.rev-missing");
  });

  test("listRefs() says when there is no repository", async () => {
    assert.is(await codeOf(backend.listRefs(`${served.url}nothing`)), "git.no-repository");
  });

  test("listRefs() can be called off", async () => {
    const controller = new AbortController();
    controller.abort(new Error("called off"));
    assert.is.not(await codeOf(backend.listRefs(`${served.url}repo`, controller.signal)), "no error");
  });

  test.run();
}

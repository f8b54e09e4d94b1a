import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as fc from "fast-check";
import type { CodedError } from "../../base/index.ts";
import { fetchCommit } from "./fetch-commit.ts";
import { parseGitmodules, resolveSubmodule } from "./gitmodules.ts";
import { serveRepositories, temporaryFolder, TestRepository } from "./testing.ts";

test("parseGitmodules() reads what git writes, and what people write", () => {
  const text = `# ours
[submodule "lib"]
\tpath = lib
\turl = ../lib.git
[submodule "a \\"b\\""] path = "dir/a b" ; why not
  URL = https://example.org/a#b
[submodule "no address"]
\tpath = none
[other "x"]
\tpath = other
\turl = other
[submodule "long"]
\tpath = lo\\
ng
\turl = " kept " tail # gone
`;
  assert.equal(
    [...parseGitmodules(text)],
    [
      ["lib", "../lib.git"],
      ["dir/a b", "https://example.org/a"],
      ["long", " kept  tail"],
    ],
  );
  assert.equal([...parseGitmodules("")], []);
});

test("parseGitmodules() reads back every path and address that git would quote", () => {
  const text = fc
    .string({ unit: "binary", minLength: 1 })
    .filter((each) => !/[\0\r\u2028\u2029]/.test(each) && !each.endsWith("/"));
  const quoted = (value: string): string =>
    `"${value.replace(/["\\]/g, "\\$&").replaceAll("\n", "\\n").replaceAll("\t", "\\t").replaceAll("\b", "\\b")}"`;
  fc.assert(
    fc.property(text, text, (path, url) => {
      const file = `[submodule "x"]\n\tpath = ${quoted(path)}\n\turl = ${quoted(url)}\n`;
      assert.equal([...parseGitmodules(file)], [[path, url]]);
    }),
  );
});

test("resolveSubmodule() counts relative addresses from the repository, and lets nobody name files of this machine", () => {
  const parent = "https://example.org/group/repo.git";
  assert.is(resolveSubmodule("../lib.git", "lib", parent), "https://example.org/group/lib.git");
  assert.is(resolveSubmodule("./inner", "lib", parent), "https://example.org/group/repo.git/inner");
  assert.is(
    resolveSubmodule("../../other/lib", "lib", "ssh://git@example.org:22/a/b"),
    "ssh://git@example.org:22/other/lib",
  );
  assert.is(resolveSubmodule("git@example.org:a/b.git", "lib", parent), "ssh://git@example.org/a/b.git");
  assert.is(resolveSubmodule("/srv/lib", "lib", "file:///srv/repo"), "file:///srv/lib");
  const bad = [
    "../../../x",
    "/srv/lib",
    "file:///srv/lib",
    "git://example.org/a",
    "ext::sh -c x",
    "ssh://-oProxyCommand=x/a",
    "",
  ];
  for (const said of bad)
    assert.throws(
      () => resolveSubmodule(said, "lib", parent),
      (error: CodedError) => error.code === "git.submodule-address",
      said,
    );
});

/** `app` has `lib` as a submodule, which has `core`. */
function nested(root: string): { rev: string } {
  const core = new TestRepository(`${root}/core`);
  core.write({ core: "core\n" }).commit();
  const lib = new TestRepository(`${root}/lib`);
  lib.write({ lib: "lib\n" }).commit();
  const allow = ["-c", "protocol.file.allow=always"];
  lib.git(...allow, "submodule", "add", "--quiet", "../core", "deps/core");
  lib.commit();
  const app = new TestRepository(`${root}/app`);
  app.write({ app: "app\n" }).commit();
  app.git(...allow, "submodule", "add", "--quiet", "../lib", "lib");
  // Relative to the repository that is served, and not to the folder it was added from.
  for (const [repository, name] of [
    [lib, "deps/core"],
    [app, "lib"],
  ] as const)
    assert.match(repository.git("config", "--file", ".gitmodules", "--get-regexp", "url"), new RegExp(`${name}\\.url`));
  return { rev: app.commit() };
}

for (const [name, serve] of [
  ["file", async (root: string) => ({ url: `file://${root}/`, close: async () => {} })],
  ["http", (root: string) => serveRepositories(root)],
] as const) {
  test(`fetchCommit() puts submodules and theirs in their places (${name})`, async () => {
    const root = temporaryFolder();
    const { rev } = nested(root);
    const served = await serve(root);
    const destination = `${temporaryFolder()}/tree`;
    const bare = `${temporaryFolder()}/tree`;
    try {
      const options = { url: `${served.url}app`, rev, ref: "refs/heads/main" };
      await fetchCommit({ ...options, destination }, { submodules: true });
      assert.is(readFileSync(`${destination}/lib/deps/core/core`, "utf8"), "core\n");
      assert.is(readFileSync(`${destination}/lib/lib`, "utf8"), "lib\n");
      assert.not.ok(existsSync(`${destination}/lib/.git`));
      await fetchCommit({ ...options, destination: bare });
      assert.equal(readdirSync(`${bare}/lib`), []);
    } finally {
      await served.close();
    }
  });
}

test("fetchCommit() refuses a submodule without an address, and a repository that has itself as one too often", async () => {
  const root = temporaryFolder();
  const repository = new TestRepository(`${root}/a`);
  const first = repository.write({ a: "" }).commit();
  const fetch = async (rev: string): Promise<string> =>
    fetchCommit({ url: `file://${root}/a`, rev, destination: `${temporaryFolder()}/tree` }, { submodules: true }).then(
      () => "fetched",
      (error: CodedError) => error.code,
    );
  const link = (to: string): string => {
    repository.git("update-index", "--add", "--cacheinfo", `160000,${to},self`);
    repository.git("commit", "--quiet", "--message", "link");
    return repository.git("rev-parse", "HEAD");
  };
  const unknown = link(first);
  assert.is(await fetch(unknown), "git.submodule-unknown");
  repository.write({ ".gitmodules": '[submodule "self"]\n\tpath = self\n\turl = ../a\n' }).git("add", ".gitmodules");
  let last = first;
  for (let i = 0; i < 11; i++) last = link(last);
  assert.is(await fetch(last), "git.submodules-without-end");
});

test.run();

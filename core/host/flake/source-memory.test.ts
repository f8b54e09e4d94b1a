import { readdirSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { LockedGit } from "../../flake/index.ts";
import { writeFiles } from "../evaluator/testing.ts";
import { serveRepositories, temporaryFolder, TestRepository } from "../git/testing.ts";
import { openLocalStore } from "../local-store/index.ts";
import { openFlake } from "./open-flake.ts";
import { SourceMemory } from "./source-memory.ts";

const commit: LockedGit = {
  type: "git",
  url: "https://example.org/a",
  rev: "1".repeat(40),
  narHash: "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
  lastModified: 7,
};

test("SourceMemory remembers a commit by what makes its tree, and forgets what it cannot read", () => {
  const folder = `${temporaryFolder()}/new`;
  const memory = new SourceMemory(folder);
  assert.equal(memory.find(commit), []);
  memory.keep({ ...commit, ref: "refs/heads/main", dir: "sub" });
  assert.equal(new SourceMemory(folder).find(commit), [commit]);
  assert.equal(memory.find({ ...commit, submodules: true }), []);
  assert.equal(memory.find({ ...commit, rev: "2".repeat(40) }), []);
  for (const name of readdirSync(folder)) writeFileSync(`${folder}/${name}`, '{"narHash":1}');
  assert.equal(memory.find(commit), []);
  new SourceMemory("/dev/null/nothing").keep(commit);
});

test("a flake that is a reference is fetched once, and one commit under two names as well", async () => {
  const root = temporaryFolder();
  const server = await serveRepositories(root);
  using store = openLocalStore({ root: temporaryFolder() });
  const memory = temporaryFolder();
  const options = { cwd: "/", store, records: false, memory } as const;
  const packs = (): number =>
    server.requests.filter((request) => request.startsWith("POST") && request.endsWith("upload-pack")).length;
  try {
    const text = (inputs: string): string =>
      `import { defineFlake } from "#floe/flake";\nexport default defineFlake({ inputs: ${inputs}, outputs: () => ({ x: 1 }) });\n`;
    new TestRepository(`${root}/a`).write({ "flake.config.ts": text("{}") }).commit();
    const reference = `git+${server.url}a`;
    await openFlake({ ...options, reference });
    const once = packs();
    await openFlake({ ...options, reference });
    const again = packs() - once;
    assert.ok(again < once, `${once} questions the first time, ${again} the second`);
    const folder = temporaryFolder();
    writeFiles(folder, { "flake.config.ts": text(`{ a: "${reference}", b: "${reference}" }`) });
    server.requests.length = 0;
    const { changes } = await (await openFlake({ ...options, reference: folder })).relock();
    assert.equal([changes.length, packs()], [2, again], "one look at the refs for both");
  } finally {
    await server.close();
  }
});

test.run();

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EMPTY_SUBSTITUTION_SETTINGS } from "../../build/index.ts";
import type { StorePath } from "../../store/index.ts";
import { FileTransport, openBinaryCache } from "../binary-cache/index.ts";
import { writeFiles } from "../evaluator/testing.ts";
import { serveRepositories, temporaryFolder, TestRepository, type TestServer } from "../git/testing.ts";
import { type LocalStore, openLocalStore } from "../local-store/index.ts";
import { copyPaths } from "../stores/index.ts";
import { openSubstituters } from "../substitute/index.ts";
import { openFlake, type OpenFlakeOptions } from "./open-flake.ts";

const test = suite("locked sources from a binary cache");
const cache = temporaryFolder();
let server: TestServer;
let flake: string;
let path: StorePath;

const open = (store: LocalStore, options: Partial<OpenFlakeOptions> = {}) =>
  openFlake({ reference: flake, cwd: "/", store, records: false, memory: false, locked: true, ...options });

test.before(async () => {
  const root = temporaryFolder();
  server = await serveRepositories(root);
  new TestRepository(`${root}/a`).write({ page: "one\n" }).commit();
  flake = temporaryFolder();
  writeFiles(flake, {
    "flake.config.ts": `import { defineFlake } from "#floe/flake";\nexport default defineFlake({\n  inputs: { a: "git+${server.url}a" },\n  outputs: ({ inputs }) => ({ x: \`\${inputs.a}\` }),\n});\n`,
  });
  using from = openLocalStore({ root: temporaryFolder() });
  await (await open(from, { locked: false })).relock();
  path = (await (await open(from)).evaluate({ attribute: "x" })).value as StorePath;
  // Nobody signs it: it is addressed by its content.
  const to = await openBinaryCache({ transport: new FileTransport(cache) }, { create: true });
  await copyPaths({ from, to, paths: [path], trusted: [] });
});
test.after(() => server.close());

/** Evaluate with an empty store and this cache; gives what was said and asked. */
async function fromCache(offline = false): Promise<{ page: string; said: string[]; asked: string[] }> {
  using store = openLocalStore({ root: temporaryFolder() });
  const said: string[] = [];
  const warn = (message: string): void => void said.push(message);
  const settings = { ...EMPTY_SUBSTITUTION_SETTINGS, substituters: [`file://${cache}`] };
  const stores = openSubstituters({ settings, warn, cwd: "/", signal: new AbortController().signal });
  server.requests.length = 0;
  try {
    const opened = await open(store, { offline, onNotice: warn, substituters: async () => stores });
    const { value } = await opened.evaluate({ attribute: "x" });
    const page = readFileSync(`${store.realPath(value as string)}/page`, "utf8");
    return { page, said, asked: [...server.requests] };
  } finally {
    await stores.close();
  }
}

test("a locked source is taken from a cache that has it, and its server is left alone", async () => {
  const { page, said, asked } = await fromCache();
  assert.equal([page, asked], ["one\n", []]);
  assert.ok(
    said.some((text) => text.startsWith(`Taking ${path} from file:`)),
    said.join("\n"),
  );
});

test("a cache whose archive is something else costs a line, and the source comes from its server", async () => {
  const archives = `${cache}/nar`;
  for (const name of readdirSync(archives)) writeFileSync(`${archives}/${name}`, "something else");
  const { page, said, asked } = await fromCache();
  assert.is(page, "one\n");
  assert.ok(asked.length > 0);
  assert.ok(
    said.some((text) => text.startsWith("file:")),
    said.join("\n"),
  );
});

test.run();

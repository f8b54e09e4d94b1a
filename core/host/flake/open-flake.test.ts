import { readFileSync, rmSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { LockFile, LockNode } from "../../flake/index.ts";
import { writeFiles } from "../evaluator/testing.ts";
import { serveRepositories, temporaryFolder, TestRepository, type TestServer } from "../git/testing.ts";
import { type LocalStore, openLocalStore } from "../local-store/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { openFlake, type OpenFlakeOptions } from "./open-flake.ts";
import { readCheckedLock } from "./testing.ts";

const test = suite("openFlake");
let root: string;
let server: TestServer;
let store: LocalStore;
let notices: string[];

test.before(async () => {
  root = temporaryFolder();
  server = await serveRepositories(`${root}/served`);
});
test.before.each(() => {
  store?.close();
  store = openLocalStore({ root: temporaryFolder() });
  notices = [];
});
test.after(async () => {
  store.close();
  await server.close();
});

let count = 0;
function repository(): { repository: TestRepository; url: string } {
  count += 1;
  return { repository: new TestRepository(`${root}/served/r${count}`), url: `git+${server.url}r${count}` };
}

/** A flake with these inputs and outputs. */
function flake(inputs: string, outputs = "{}", more: Readonly<Record<string, string>> = {}): string {
  const folder = temporaryFolder();
  writeFiles(folder, { "flake.config.ts": configText(inputs, outputs), ...more });
  return folder;
}

function configText(inputs: string, outputs: string): string {
  return `import { defineFlake } from "#floe/flake";\nexport default defineFlake({\n  inputs: ${inputs},\n  outputs({ inputs, self }) {\n    return ${outputs};\n  },\n});\n`;
}

const open = (folder: string, options: Partial<OpenFlakeOptions> = {}) =>
  openFlake({
    reference: folder,
    cwd: "/",
    store,
    records: false,
    memory: false,
    onNotice: (text) => notices.push(text),
    ...options,
  });
const lockOf = (folder: string): LockFile => readCheckedLock(`${folder}/lock.json`) as LockFile;
const locked = (lock: LockFile, name: string): Record<string, unknown> =>
  (lock.nodes[name] as LockNode).locked as unknown as Record<string, unknown>;
async function errorOf(
  run: Promise<unknown>,
): Promise<{ code: string; message: string; hint?: string; details?: string[]; at?: { file: string; line: number } }> {
  try {
    await run;
  } catch (error) {
    return error as { code: string; message: string };
  }
  throw new Error("Expected an error, found none");
}

test("relock() locks a git input; evaluate() then needs no server", async () => {
  const { repository: source, url } = repository();
  const rev = source.write({ page: "one" }).commit();
  const folder = flake(`{ site: "${url}" }`, "{ path: `${inputs.site}/page`, rev: inputs.site.sourceInfo.rev }");
  const { changes, written } = await (await open(folder)).relock();
  assert.equal(
    changes.map(({ kind, input }) => [kind, ...input]),
    [["added", "site"]],
  );
  assert.is(written, `${folder}/lock.json`);
  const { type, rev: lockedRev, ref, lastModified } = locked(lockOf(folder), "site");
  assert.equal([type, lockedRev, ref, lastModified], ["git", rev, "refs/heads/main", 1_700_086_400]);
  server.requests.length = 0;
  const { value, sourceContext } = await (await open(folder, { locked: true })).evaluate({ attribute: "path" });
  assert.is(readFileSync(store.realPath(value as string), "utf8"), "one");
  assert.equal(sourceContext, [(value as string).slice(0, -"/page".length)]);
  assert.equal(server.requests, [], "offline from a warm lock");
});

test("nothing is fetched when nothing may be, and it is said what would have been", async () => {
  const { repository: source, url } = repository();
  const rev = source.write({ page: "offline" }).commit();
  const folder = flake(`{ site: "${url}" }`, "{ x: 1 }");
  server.requests.length = 0;
  const unlocked = await errorOf((await open(folder, { offline: true })).evaluate({ attribute: "x" }));
  assert.is(unlocked.code, "flake.offline");
  assert.is(unlocked.message, `Cannot fetch ${url}: nothing may be downloaded (--offline)`);
  await (await open(folder)).relock();
  assert.is((await (await open(folder, { offline: true })).evaluate({ attribute: "x" })).value, 1);
  server.requests.length = 0;
  const elsewhere = openTemporaryStore();
  try {
    const missing = { offline: true, store: elsewhere.store };
    const error = await errorOf((await open(folder, missing)).evaluate({ attribute: "x" }));
    assert.is(error.code, "flake.offline");
    assert.match(error.message, `at ${rev}: nothing may be downloaded`);
  } finally {
    elsewhere.close();
  }
  assert.equal(server.requests, []);
});

test("evaluate() completes a lock with gaps and leaves its entries alone", async () => {
  const [a, b] = [repository(), repository()];
  const first = a.repository.write({ f: "1" }).commit();
  b.repository.write({ f: "1" }).commit();
  const folder = flake(`{ a: "${a.url}" }`, "{ x: 1 }");
  await (await open(folder)).relock();
  a.repository.write({ f: "2" }).commit();
  writeFiles(folder, { "flake.config.ts": configText(`{ a: "${a.url}", b: "${b.url}" }`, "{ x: 1 }") });
  await (await open(folder)).evaluate({ attribute: "x" });
  assert.is(locked(lockOf(folder), "a")["rev"], first);
  assert.ok(notices.some((text) => text.includes("added b")));
});

test("evaluate() refuses a stale lock when opened locked", async () => {
  const { repository: source, url } = repository();
  source.write({ f: "1" }).commit();
  const folder = flake(`{ a: "${url}" }`, "{ x: 1 }");
  const error = await errorOf((await open(folder, { locked: true })).evaluate({ attribute: "x" }));
  assert.is(error.code, "flake.lock-stale");
  assert.equal(error.details, ['"a" has no entry']);
  assert.is(error.hint, "Run: floe flake lock");
});

test("relock() updates what is named, to what its reference means now", async () => {
  const [a, b] = [repository(), repository()];
  for (const one of [a, b]) one.repository.write({ f: "1" }).commit();
  const folder = flake(`{ a: "${a.url}", b: "${b.url}" }`);
  await (await open(folder)).relock();
  const moved = a.repository.write({ f: "2" }).commit();
  b.repository.write({ f: "2" }).commit();
  const { changes } = await (await open(folder)).relock({ update: ["a"] });
  assert.equal(
    changes.map(({ kind, input, after }) => [kind, ...input, (after as { rev?: string }).rev]),
    [["updated", "a", moved]],
  );
  assert.equal((await (await open(folder)).relock({ update: ["a"] })).changes, []);
  assert.is((await errorOf((await open(folder)).relock({ update: ["c"] }))).code, "flake.unknown-input");
});

test("relock() moves a range to its newest tag", async () => {
  const { repository: source, url } = repository();
  source.write({ f: "1" }).commit();
  source.git("tag", "v1.2.0");
  const folder = flake(`{ a: "${url}?semver=^1" }`);
  await (await open(folder)).relock();
  const rev = source.write({ f: "2" }).commit();
  source.git("tag", "v1.10.0");
  source.write({ f: "3" }).commit();
  source.git("tag", "v2.0.0");
  await (await open(folder)).relock({ update: "all" });
  assert.equal([locked(lockOf(folder), "a")["rev"], locked(lockOf(folder), "a")["ref"]], [rev, "refs/tags/v1.10.0"]);
});

test("evaluate() refuses an input whose content is not what was locked", async () => {
  const { repository: source, url } = repository();
  source.write({ f: "1" }).commit();
  const folder = flake(`{ a: "${url}" }`, "{ x: `${inputs.a}` }");
  await (await open(folder)).relock();
  const text = readFileSync(`${folder}/lock.json`, "utf8");
  const right = locked(lockOf(folder), "a")["narHash"] as string;
  const wrong = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  writeFiles(folder, { "lock.json": text.replace(right, wrong) });
  const error = await errorOf((await open(folder)).evaluate({ attribute: "x" }));
  assert.is(error.code, "flake.nar-hash-mismatch");
  assert.equal(error.details, [`locked: ${wrong}`, `found:  ${right}`]);
  assert.equal([error.at?.file, error.at?.line], [`${folder}/flake.config.ts`, 3]);
});

test("what is wrong with a declaration is told at its line", async () => {
  const at = async (inputs: string): Promise<[string, number | undefined, string | undefined]> => {
    const { code, at: place, hint } = await errorOf((await open(flake(inputs))).relock());
    return [code, place?.line, hint];
  };
  assert.equal(await at('{\n    a: "path:./x",\n    b: { url: "path:./x", submodules: true },\n  }'), [
    "flake.malformed",
    5,
    'Write it in the address: url: "…?submodules=…".',
  ]);
  const nested = '{\n    a: { url: "path:./x", inputs: { c: {\n      follow: "a" } } },\n  }';
  assert.equal((await at(nested)).slice(0, 2), ["flake.malformed", 5]);
  assert.equal(await at('{\n    a: { follows: "elsewhere" },\n  }'), ["flake.follows-missing", 4, "Its inputs are a."]);
  const computed = 'Object.fromEntries([\n    "b",\n    "a"].map((name) => [name, `nowhere:${name}`]))';
  assert.equal((await at(computed)).slice(0, 2), ["flake-reference.unknown-scheme", 5]);
  assert.equal((await at("{\n ...{ c: { urll: 'path:./c' } } }")).slice(0, 2), ["flake.malformed", 4]);
});

test("relock() names branch, address and cause of what cannot be fetched", async () => {
  const { repository: source, url } = repository();
  source.write({ f: "1" }).commit();
  assert.is((await errorOf((await open(flake(`{ a: "${url}?ref=mian" }`))).relock())).hint, 'Did you mean "main"?');
  assert.is((await errorOf((await open(flake(`{ a: "${url}-nothing" }`))).relock())).code, "git.no-repository");
  const down = await errorOf((await open(flake('{ a: "git+http://user:secret@127.0.0.1:1/a" }'))).relock());
  assert.is(down.code, "git.unreachable");
  assert.match(down.message, "http://***@127.0.0.1:1/a");
});

test("an input that is a flake gives its outputs, with its inputs from its own lock", async () => {
  const [lib, app] = [repository(), repository()];
  const rev = lib.repository
    .write({ "flake.config.ts": configText("{}", '{ name: "lib", where: `${self}` }') })
    .commit();
  app.repository
    .write({ "flake.config.ts": configText(`{ lib: "${lib.url}" }`, '{ name: "app with " + inputs.lib.name }') })
    .commit();
  await (await open(app.repository.folder)).relock();
  app.repository.commit();
  lib.repository.write({ "flake.config.ts": configText("{}", '{ name: "newer lib" }') }).commit();
  const folder = flake(`{ app: "${app.url}" }`, "{ name: inputs.app.name, lib: inputs.app.inputs }");
  assert.is((await (await open(folder)).evaluate({ attribute: "name" })).value, "app with lib");
  assert.equal(Object.keys(lockOf(folder).nodes), ["app", "root"], "the inner lock is not copied");
  const resolved = await (await open(folder)).resolveInputs();
  assert.is((resolved.nodes.get("app/lib")?.locked as { rev: string } | undefined)?.rev, rev);
  const following = flake(
    `{ app: { url: "${app.url}", inputs: { lib: { follows: "lib" } } }, lib: "${lib.url}" }`,
    "{ name: inputs.app.name }",
  );
  assert.is((await (await open(following)).evaluate({ attribute: "name" })).value, "app with newer lib");
  // What the locked input has is known by its lock in the store, and by its declaration.
  const config = readFileSync(`${folder}/flake.config.ts`, "utf8");
  const misspelt = `{ app: { url: "${app.url}", inputs: { liib: { follows: "app" } } } }`;
  writeFiles(folder, { "flake.config.ts": config.replace(`{ app: "${app.url}" }`, misspelt) });
  const warning = 'The input "app" has no input "liib" to replace. Did you mean "lib"?';
  const notices: string[] = [];
  await (await open(folder, { onNotice: (text) => notices.push(text) })).relock();
  assert.equal(notices, [warning]);
  notices.length = 0;
  const replace = new Map([["app/liib", lib.url]]);
  writeFiles(folder, { "flake.config.ts": config });
  await (await open(folder, { replace, onNotice: (text) => notices.push(text) })).evaluate({ attribute: "name" });
  assert.ok(notices.includes(warning), notices.join());
});

test("an error inside of an input has its place there", async () => {
  const { repository: source, url } = repository();
  source.write({ "flake.config.ts": configText("{}", '{ get a() { throw new Error("inside"); } }') }).commit();
  const folder = flake(`{ dep: "${url}" }`, "{ get x() { return inputs.dep.a; } }");
  const error = await errorOf((await open(folder)).evaluate({ attribute: "x" }));
  assert.match(error.at?.file ?? "", /^\/nix\/store\/.{32}-source\/flake\.config\.ts$/);
  assert.is(error.at?.line, 5);
  assert.ok(error.details?.some((line) => line.includes(`${folder}/flake.config.ts:5`)));
});

test("an input that is not declared is an error at the line that asks for it", async () => {
  const folder = flake('{ pages: { url: "path:./pages", flake: false } }', "{ x: `${(inputs as any).page}` }", {
    "pages/index.html": "x",
  });
  const error = await errorOf((await open(folder)).evaluate({ attribute: "x" }));
  assert.is(error.code, "flake.input-missing");
  assert.is(error.hint, 'Did you mean "pages"?');
  assert.equal(error.at && [error.at.file, error.at.line], [`${folder}/flake.config.ts`, 5]);
});

test("a path input is its content: a change needs an update, and counts only what git counts", async () => {
  const { repository: source } = repository();
  source
    .write({
      "flake.config.ts": configText('{ pages: { url: "path:./pages", flake: false } }', "{ x: `${inputs.pages}` }"),
      "pages/a": "1",
      ".gitignore": "*.log\n",
    })
    .commit();
  const folder = source.folder;
  const { value } = await (await open(folder)).evaluate({ attribute: "x" });
  source.write({ "pages/b.log": "ignored" });
  assert.equal((await (await open(folder)).relock({ update: "all" })).changes, []);
  source.write({ "pages/a": "2" });
  assert.is((await (await open(folder)).evaluate({ attribute: "x" })).value, value, "locked means locked");
  assert.is((await (await open(folder)).relock({ update: ["pages"] })).changes.length, 1);
  assert.is.not((await (await open(folder)).evaluate({ attribute: "x" })).value, value);
});

test("a path input whose locked content is gone from store and folder is an error with both hashes", async () => {
  const folder = flake('{ pages: "path:./pages" }', "{ x: 1 }", { "pages/a": "1" });
  await (await open(folder)).relock();
  writeFiles(folder, { "pages/a": "2" });
  store.close();
  store = openLocalStore({ root: temporaryFolder() });
  const error = await errorOf((await open(folder)).evaluate({ attribute: "x" }));
  assert.is(error.code, "flake.nar-hash-mismatch");
  assert.is(error.hint, "If the folder was changed on purpose, run: floe flake update pages");
});

test("a path input that is missing, or of a dependency and outside of it, is refused", async () => {
  assert.is((await errorOf((await open(flake('{ a: "path:./nothing" }'))).relock())).code, "flake.path-missing");
  const { repository: source, url } = repository();
  source.write({ "flake.config.ts": configText('{ out: "path:/etc" }', "{}") }).commit();
  assert.is((await errorOf((await open(flake(`{ a: "${url}" }`))).relock())).code, "flake.path-outside");
});

test("untracked files count, with one notice that names them", async () => {
  const { repository: source } = repository();
  source
    .write({ "flake.config.ts": configText("{}", "{ x }").replace("export", 'import { x } from "./x.ts";\nexport') })
    .commit();
  // The lock of the flake is Floe's own; one of another flake is a file like others.
  const lock = '{ "version": 1, "root": "root", "nodes": { "root": {} } }\n';
  source.write({ "x.ts": "export const x = 1;\n", "lock.json": lock, "other/lock.json": lock });
  const opened = await open(source.folder);
  assert.is((await opened.evaluate({ attribute: "x" })).value, 1);
  await opened.evaluate({ attribute: "x" });
  assert.equal(
    notices.filter((text) => text.includes("does not track")),
    ["Files that git does not track yet count, too: other/lock.json, x.ts"],
  );
});

test("a flake is found from a folder inside of it, and not above its checkout", async () => {
  const { repository: source } = repository();
  source.write({ "flake.config.ts": configText("{}", "{ x: 1 }"), "a/b/c": "" }).commit();
  assert.is((await open(`${source.folder}/a/b`)).directory, source.folder);
  const folder = flake("{}");
  new TestRepository(`${folder}/inner`);
  assert.is((await errorOf(open(`${folder}/inner`))).code, "flake.not-found");
  assert.is((await errorOf(open(`${folder}/nowhere`))).code, "flake.not-found");
});

test("a flake can be a reference", async () => {
  const { repository: source, url } = repository();
  source
    .write({ "flake.config.ts": configText("{}", "{ x: 1 }"), "sub/flake.config.ts": configText("{}", "{ x: 2 }") })
    .commit();
  assert.is((await (await open(url)).evaluate({ attribute: "x" })).value, 1);
  assert.is((await (await open(`${url}?dir=sub`)).evaluate({ attribute: "x" })).value, 2);
  assert.is((await errorOf(open(`${url}?dir=other`))).code, "flake.not-found");
});

test("evaluate() answers an unchanged question from its record, without a process", async () => {
  const folder = flake("{}", "{ x: 1 }");
  const records = temporaryFolder();
  const first = await (await open(folder, { records })).evaluate({ attribute: "x" });
  const second = await (await open(folder, { records })).evaluate({ attribute: "x" });
  assert.equal([first.fromRecord, second.fromRecord], [false, true]);
  rmSync(records, { recursive: true });
});

test.run();

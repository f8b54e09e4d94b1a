import { spawnSync } from "node:child_process";
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, equalHashes } from "../../base/index.ts";
import { makeTextPath, type PathInfo, publicKeyOf, signPathInfo, type StorePath } from "../../store/index.ts";
import { openBuildBench } from "../builder/testdata/build-bench.ts";
import { hashTree, removeTree } from "../files/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import type { LocalStore } from "../local-store/index.ts";
import { ed25519, generateSecretKey } from "../signing/index.ts";
import { optimiseStore, repair, settle, verifyStore } from "./index.ts";

const test = suite<ReturnType<typeof openTemporaryStore>>("verify");
test.before.each((context) => void Object.assign(context, openTemporaryStore()));
test.after.each((context) => context.close());

const nixPresent = spawnSync("nix-store", ["--version"]).status === 0;
if (!nixPresent) console.log("skipped in part: nix-store is not on the PATH, so real Nix cannot be asked");

function assertNixAgrees(store: LocalStore): void {
  if (!nixPresent) return;
  const { status, stderr } = spawnSync("nix-store", ["--store", store.root, "--verify", "--check-contents"], {
    encoding: "utf8",
    env: { ...process.env, NIX_REMOTE: "" },
  });
  assert.is(status, 0, stderr);
  assert.not.match(stderr, /modified|missing|disappeared|error/);
}

function change(store: LocalStore, path: string, contents: string): void {
  chmodSync(store.realPath(path), 0o644);
  writeFileSync(store.realPath(path), contents);
  chmodSync(store.realPath(path), 0o444);
  utimesSync(store.realPath(path), 1, 1);
}

async function addTree({ store, folder }: ReturnType<typeof openTemporaryStore>): Promise<StorePath> {
  const from = join(folder, "tree");
  mkdirSync(join(from, "sub"), { recursive: true });
  writeFileSync(join(from, "sub/file"), "file");
  return store.addTree({ name: "tree", from });
}

const kinds = ({ faults }: { faults: readonly { kind: string; path: string }[] }): string[] =>
  faults.map(({ kind, path }) => `${kind} ${path}`).sort();

test("a store that is whole has no faults", async (context) => {
  const { store } = context;
  await addTree(context);
  store.addText("a", "a", []);
  for (const contents of [false, true]) {
    const findings = await verifyStore(store, { contents });
    assert.equal(findings, { checked: 2, faults: [], gone: [], unhashed: [], metadata: [] });
  }
});

test("what was changed is damaged; modes and times alone are put right", async (context) => {
  const { store } = context;
  const tree = await addTree(context);
  const a = store.addText("a", "a", []);
  change(store, a, "b");
  chmodSync(store.realPath(`${tree}/sub`), 0o755);
  utimesSync(store.realPath(`${tree}/sub/file`), 7, 7);
  assert.equal(kinds(await verifyStore(store)), []);
  const findings = await verifyStore(store, { contents: true });
  assert.equal(kinds(findings), [`damaged ${a}`]);
  assert.equal(
    findings.metadata.map(({ path, files }) => [path, files]),
    [[tree, 2]],
  );
  assert.match(findings.metadata[0]?.examples.join("\n") ?? "", "/sub: mode 0755, expected 0555");
  settle(store, findings);
  assert.equal((await verifyStore(store, { contents: true, paths: [tree] })).metadata, []);
});

test("what is gone and not needed is forgotten, what is needed is missing", async ({ store }) => {
  const alone = store.addText("alone", "", []);
  const a = store.addText("a", "", []);
  const b = store.addText("b", a, [a]);
  const c = store.addText("c", b, [b]);
  const d = store.addText("d", "", []);
  const e = store.addText("e", d, [d]);
  for (const path of [alone, a, b, d, e]) removeTree(store.realPath(path));
  const findings = await verifyStore(store);
  assert.equal(kinds(findings), [`incomplete ${c}`, `missing ${a}`, `missing ${b}`].sort());
  assert.equal([...findings.gone].sort(), [alone, d, e].sort());
  settle(store, findings);
  assert.equal(store.allPaths(), [a, b, c].sort());
});

test("a hash that was never recorded is filled in", async ({ store }) => {
  const a = store.addText("a", "a", []);
  const before = store.queryPathInfo(a) as PathInfo;
  const database = new DatabaseSync(join(store.stateDirectory, "db/db.sqlite"));
  database.prepare("update ValidPaths set hash = ?, narSize = null").run(`sha256:${"0".repeat(64)}`);
  database.close();
  settle(store, await verifyStore(store, { contents: true }));
  assert.equal(store.queryPathInfo(a), before);
});

test("signatures by different trusted keys are counted", async ({ store }) => {
  const key = generateSecretKey("k");
  const other = generateSecretKey("l");
  const path = makeTextPath("built", "", []);
  writeFileSync(store.realPath(path), "x", { mode: 0o444 });
  const info: PathInfo = { path, ...(await hashTree(store.realPath(path))), references: [], signatures: [] };
  store.registerOutputs([
    { ...info, signatures: [signPathInfo(info, key, ed25519), signPathInfo(info, other, ed25519)] },
  ]);
  store.addText("certified", "", []);
  const trustedKeys = [publicKeyOf(key)];
  assert.equal(kinds(await verifyStore(store, { signaturesNeeded: 1, trustedKeys })), []);
  assert.equal(kinds(await verifyStore(store, { signaturesNeeded: 2, trustedKeys })), [`untrusted ${path}`]);
  assert.equal(kinds(await verifyStore(store, { signaturesNeeded: 1 })), [`untrusted ${path}`]);
});

test("links that lie are found and removed", async (context) => {
  const { store } = context;
  const tree = await addTree(context);
  await optimiseStore(store);
  const links = join(store.realStoreDirectory, ".links");
  const link = readdirSync(links)[0] as string;
  chmodSync(join(links, link), 0o644);
  writeFileSync(join(links, link), "lies");
  const findings = await verifyStore(store, { contents: true });
  assert.equal(kinds(findings), [`damaged ${tree}`, `link ${join(links, link)}`]);
  const outcomes = await repair(store, findings.faults, { sources: [] });
  assert.equal(outcomes.map(({ fault, repaired }) => [fault.kind, repaired]).sort(), [
    ["damaged", false],
    ["link", true],
  ]);
  assert.equal(readdirSync(links), []);
});

test("a whole copy from another store takes the place of what is damaged or missing", async (context) => {
  const { store } = context;
  const tree = await addTree(context);
  const a = store.addText("a", tree, [tree]);
  const other = openTemporaryStore();
  try {
    for (const path of [tree, a])
      await other.store.importNar(store.queryPathInfo(path) as PathInfo, store.readNar(path));
    change(store, `${tree}/sub/file`, "changed");
    removeTree(store.realPath(a));
    const user = store.addText("user", a, [a]);
    const findings = await verifyStore(store, { contents: true });
    assert.equal(kinds(findings), [`damaged ${tree}`, `incomplete ${user}`, `missing ${a}`].sort());
    const outcomes = await repair(store, findings.faults, { sources: [other.store] });
    assert.ok(outcomes.every(({ repaired }) => repaired));
    assert.is(readFileSync(store.realPath(`${tree}/sub/file`), "utf8"), "file");
    assert.equal((await verifyStore(store, { contents: true })).faults, []);
    assertNixAgrees(store);
    // A store that lies is no help.
    change(store, a, "damaged");
    change(other.store, a, "lies");
    const [outcome] = await repair(store, (await verifyStore(store, { contents: true })).faults, {
      sources: [other.store],
    });
    assert.equal([outcome?.repaired, /found the archive/.test(outcome?.words ?? "")], [false, true]);
    assert.equal(
      readdirSync(store.realStoreDirectory).filter((name) => /tmp|lock/.test(name)),
      [],
    );
  } finally {
    other.close();
  }
});

test("a given path must be valid", async ({ store }) => {
  const error = await verifyStore(store, { paths: [makeTextPath("x", "", [])] }).catch((fault: CodedError) => fault);
  assert.is((error as CodedError).code, "store.not-valid");
});

const bench = await openBuildBench();
if (typeof bench === "string") console.log(`skipped in part: ${bench}`);
else {
  test("what was built here is built again, and only the same contents are taken", async () => {
    const { store } = bench;
    const value = await bench.script("mkdir $out; echo hello > $out/f", { name: "sure" });
    const unsure = await bench.script("date +%N > $out; cat /proc/sys/kernel/random/uuid >> $out", { name: "unsure" });
    await bench.build(value);
    await bench.build(unsure);
    const before = (store.queryPathInfo(value.outPath as StorePath) as PathInfo).narHash;
    change(store, `${value.outPath}/f`, "changed");
    change(store, unsure.outPath, "changed");
    const { faults } = await verifyStore(store, { contents: true });
    assert.equal(kinds({ faults }), [`damaged ${value.outPath}`, `damaged ${unsure.outPath}`].sort());
    const outcomes = await repair(store, faults, { sources: [] });
    const found = new Map(outcomes.map(({ fault, repaired }) => [fault.path, repaired]));
    assert.equal([found.get(value.outPath), found.get(unsure.outPath)], [true, false]);
    assert.ok(equalHashes((await hashTree(store.realPath(value.outPath))).narHash, before));
    assert.is(lstatSync(store.realPath(value.outPath)).mode & 0o7777, 0o555);
  });
  test.after(() => bench.close());
}

test.run();

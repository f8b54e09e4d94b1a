import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { beginEvaluation, derivation } from "../../../../core/derivation/index.ts";
import { makeSourceHost, scanTree } from "../../../../core/host/files/index.ts";
import { openLocalStore } from "../../../../core/host/local-store/index.ts";
import { type StorePath, storePathDigest } from "../../../../core/store/index.ts";
import { runFloe, temporaryDirectory } from "../../testing.ts";

/** What the commands say is compared with what real Nix says of the same store. */
const directory = temporaryDirectory();
const root = join(directory, "root");

// lib ← mid ← top → lib; top came from drv, mentions lib in a link and itself.
const store = openLocalStore({ root });
const lib = store.addText("lib-1.2", "library", []);
const mid = store.addText("mid", `see ${lib}`, [lib]);
const evaluation = beginEvaluation(makeSourceHost());
const { drvPath, outPath } = derivation({ name: "top-2.0", system: "s", builder: "b" });
store.addDerivationText(drvPath, evaluation.derivations.get(drvPath) as string);
const top = outPath as StorePath;
mkdirSync(join(store.realPath(top), "bin"), { recursive: true });
writeFileSync(join(store.realPath(top), "bin/run"), `exec ${mid} ${top}/lib`);
symlinkSync(lib, join(store.realPath(top), "lib"));
writeFileSync(join(store.realPath(top), "size"), "x".repeat(20_000));
const scanned = await scanTree(store.realPath(top), { candidates: [lib, mid, top], canonicalise: true });
store.registerOutputs([
  { path: top, ...scanned, deriver: drvPath as StorePath, ultimate: true, signatures: ["key-1:c2ln"] },
]);
const newer = store.addText("lib-1.3", "library, newer", []);
mkdirSync(join(root, "nix/var/nix/gcroots/mine"), { recursive: true });
symlinkSync(mid, join(root, "nix/var/nix/gcroots/mine/mid"));
store.close();

const present = spawnSync("nix-store", ["--version"]).status === 0;
const referee = present ? test : test.skip;
if (!present) console.log("skipped: nix-store is not on the PATH, so real Nix cannot be asked");

function nix(program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, ["--store", root, ...args], {
    encoding: "utf8",
    env: { ...process.env, NIX_REMOTE: "", NIX_CONFIG: "experimental-features = nix-command" },
  });
  assert.is(status, 0, stderr);
  return stdout;
}

async function floe(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runFloe([...args, "--store", root]);
  assert.is(code, 0, stderr);
  return stdout;
}

const lines = (text: string): string[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .sort();

referee("floe store info gives the table and the JSON of nix path-info", async () => {
  for (const flags of [["-rsSh", "--sigs"], ["-sS"], ["-r"]])
    assert.equal(
      lines(await floe("store", "info", ...flags, top, mid)),
      lines(nix("nix", "path-info", ...flags, top, mid)),
    );
  const byPath = (text: string): unknown[] =>
    (JSON.parse(text) as { path: string }[]).sort((a, b) => (a.path < b.path ? -1 : 1));
  assert.equal(
    byPath(await floe("store", "info", "-rS", "--json", top)),
    byPath(nix("nix", "path-info", "-rS", "--json", top)),
  );
});

referee("floe store query answers as nix-store --query does", async () => {
  for (const [question, ...paths] of [
    ["--references", top, mid],
    ["--referrers", lib],
    ["--requisites", top],
    ["--referrers-closure", lib],
    ["--deriver", top],
    ["--outputs", drvPath],
    ["--hash", top],
    ["--size", top],
  ] as const)
    assert.equal(
      lines(await floe("store", "query", question, ...paths)),
      lines(nix("nix-store", "--query", question, ...paths)),
      question,
    );
  assert.is(await floe("store", "query", "--tree", top), nix("nix-store", "--query", "--tree", top));
});

test("floe store query tells derivers, roots, digests and a graph", async () => {
  assert.is(await floe("store", "query", "--valid-derivers", top), `${drvPath}\n`);
  assert.is(await floe("store", "query", "--deriver", lib), "unknown-deriver\n");
  assert.is(await floe("store", "query", "--resolve", storePathDigest(lib)), `${lib}\n`);
  assert.equal(
    lines(await floe("store", "query", "-R", "--include-outputs", drvPath)),
    [drvPath, lib, mid, top].sort(),
  );
  assert.is(await floe("store", "query", "--roots", lib), `${root}/nix/var/nix/gcroots/mine/mid -> ${mid}\n`);
  const graph = await floe("store", "query", "--graph", mid);
  assert.match(graph, /^digraph G \{\n/);
  assert.match(graph, `"${lib.slice("/nix/store/".length)}" -> "${mid.slice("/nix/store/".length)}";`);
  const none = await runFloe(["store", "query", "--store", root, lib]);
  assert.is(none.code, 1);
  assert.match(none.stderr, "[cli.conflicting-flags]");
  assert.match(
    (await runFloe(["store", "query", "--resolve", "--store", root, "nothing"])).stderr,
    "[store.no-such-digest]",
  );
});

test("floe store why-depends shows the chain and what holds each reference", async () => {
  assert.equal((await floe("store", "why-depends", top, lib)).split("\n"), [
    top,
    `└───lib: …${lib}…`,
    `    → ${lib}`,
    "",
  ]);
  const all = await floe("store", "why-depends", "--all", "--precise", top, lib);
  assert.match(all, `bin/run: …exec ${mid}`);
  assert.match(all, `see ${lib}`);
  const json = JSON.parse(await floe("store", "why-depends", "--json", mid, lib)) as {
    needs: { path: string; mentions: { file: string }[] }[];
  };
  assert.equal(
    json.needs.map(({ path, mentions }) => [path, mentions[0]?.file]),
    [[lib, ""]],
  );
  const { code, stderr } = await runFloe(["store", "why-depends", "--store", root, lib, top]);
  assert.is(code, 1);
  assert.match(stderr, "[store.no-dependency]");
});

referee("floe store diff-closures says what nix store diff-closures says", async () => {
  for (const [before, after] of [
    [mid, top],
    [lib, newer],
    [top, lib],
  ] as const) {
    const plain = nix("nix", "store", "diff-closures", before, after).replaceAll(/\x1b\[[0-9;]*m/g, "");
    assert.equal(lines(await floe("store", "diff-closures", before, after)), lines(plain));
  }
});

test("floe store ping names the store", async () => {
  assert.match(await floe("store", "ping"), `Store URL: ${root}\nVersion: `);
  assert.is((JSON.parse(await floe("store", "ping", "--json")) as { trusted: boolean }).trusted, true);
});

test.run();

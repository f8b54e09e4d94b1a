import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openLocalStore } from "../../../../core/host/local-store/index.ts";
import { floeCommand, temporaryDirectory } from "../../testing.ts";

const directory = temporaryDirectory();
const place = (name: string): string => join(directory, name);
const from = place("from");

const store = openLocalStore({ root: from });
const lib = store.addText("lib", "library", []);
const mid = store.addText("mid", `see ${lib}`, [lib]);
mkdirSync(place("tree/sub"), { recursive: true });
writeFileSync(place("tree/sub/tool"), "tool", { mode: 0o755 });
const tree = await store.addTree({ name: "tree", from: place("tree") });
store.close();
const all = [lib, mid, tree].sort();

const present = spawnSync("nix-store", ["--version"]).status === 0;
const referee = present ? test : test.skip;
if (!present) console.log("skipped: nix-store is not on the PATH, so real Nix cannot be asked");

function run(program: string, args: readonly string[], input?: Buffer): Buffer {
  const { status, stdout, stderr } = spawnSync(program, args, {
    input,
    env: { ...process.env, NIX_REMOTE: "" },
    maxBuffer: 1 << 28,
  });
  assert.is(status, 0, String(stderr));
  return stdout;
}

const floe = (root: string, words: readonly string[], input?: Buffer): Buffer =>
  run(process.execPath, [...floeCommand(), "store", ...words, "--store", root], input);
const nix = (root: string, words: readonly string[], input?: Buffer): Buffer =>
  run("nix-store", ["--store", root, ...words], input);

/** Registration time and what an export leaves out aside, stores must know the same. */
const facts = (root: string): string => String(floe(root, ["dump-db"]));

test("floe store import takes in what floe store export gives", () => {
  const stream = floe(from, ["export", "-r", mid, tree]);
  const printed = String(floe(place("to"), ["import"], stream))
    .trimEnd()
    .split("\n");
  assert.equal([...printed].sort(), all);
  assert.is(facts(place("to")), facts(from));
});

referee("streams of both programs are the same, and each takes in the other's", () => {
  const ours = floe(from, ["export", "-r", mid, tree]);
  assert.ok(
    ours.equals(
      nix(from, [
        "--export",
        ...String(nix(from, ["-qR", mid, tree]))
          .trim()
          .split("\n"),
      ]),
    ),
  );
  const printed = nix(place("nix"), ["--import"], ours);
  assert.equal(String(printed).trim().split("\n").sort(), all);
  assert.is(String(nix(place("nix"), ["--dump-db"])), facts(from));
  const theirs = nix(place("nix"), ["--export", ...all]);
  floe(place("back"), ["import"], theirs);
  assert.is(facts(place("back")), facts(from));
  nix(place("back"), ["--verify", "--check-contents"]);
});

referee("floe store dump-db and load-db speak the registration text of Nix", () => {
  assert.is(facts(from), String(nix(from, ["--dump-db"])));
  mkdirSync(place("loaded/nix"), { recursive: true });
  cpSync(join(from, "nix/store"), place("loaded/nix/store"), {
    recursive: true,
    preserveTimestamps: true,
    verbatimSymlinks: true,
  });
  floe(place("loaded"), ["load-db"], nix(from, ["--dump-db"]));
  assert.is(facts(place("loaded")), facts(from));
  nix(place("loaded"), ["--verify", "--check-contents"]);
});

test("floe store load-db refuses what is not there", () => {
  const { status, stderr } = spawnSync(
    process.execPath,
    [...floeCommand(), "store", "load-db", "--store", place("empty")],
    { input: facts(from) },
  );
  assert.is(status, 1);
  assert.match(String(stderr), "[store.no-files]");
});

test.run();

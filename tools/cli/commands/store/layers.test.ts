import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { overlayRefusal } from "../../../../core/host/local-store/testing-layers.ts";
import { probeSandbox } from "../../../../core/host/sandbox/index.ts";
import { type CliResult, runFloe, temporaryDirectory } from "../../testing.ts";
import { writeFlake } from "../../testing-flake.ts";

/** The commands, on a store upon another one and on a store that is only read. */
const directory = temporaryDirectory();
const place = (name: string): string => join(directory, name);
const flake = place("flake");
mkdirSync(flake);
writeFlake(
  flake,
  `base: shell("base", "echo base > $out"),
   get top() { return shell("top", \`while read line; do echo "$line and top" > $out; done < \${this.base}; echo \${this.base} >> $out\`); },`,
);
const lower = place("lower");
const overlay = (name: string): string =>
  `local-overlay://?root=${place(name)}/m&lower-store=${lower}&upper-layer=${place(name)}/upper`;
const readOnly = `${lower}?read-only=true`;

async function floe(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await runFloe(words, { cwd: flake });
  assert.is(code, 0, `floe ${words.join(" ")}: ${stderr}`);
  return stdout.trim();
}

async function refused(code: string, ...words: string[]): Promise<CliResult> {
  const result = await runFloe(words, { cwd: flake });
  assert.ok(result.code !== 0, words.join(" "));
  assert.match(result.stderr, `[${code}]`, words.join(" "));
  return result;
}

function nix(program: string, ...words: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, words, {
    encoding: "utf8",
    env: { ...process.env, NIX_REMOTE: "" },
  });
  assert.is(status, 0, `${program} ${words.join(" ")}: ${stderr}`);
  return stdout.trim();
}

const isPresent = spawnSync("nix-store", ["--version"]).status === 0;
if (!isPresent) console.log("skipped: nix-store is not on the PATH, so real Nix cannot be asked");
const canBuild = probeSandbox().kind === "available";
if (!canBuild) console.log("skipped: nothing can be built in a sandbox here");
const noMount = overlayRefusal();
if (noMount !== undefined) console.log(`skipped: an overlay cannot be mounted here: ${noMount.trim()}`);

writeFileSync(place("text"), "text\n");
const added = await floe("store", "add", place("text"), "--store", lower);
const base = canBuild ? await floe("build", ".#base", "--no-link", "--print-out-paths", "--store", lower) : added;
/** What is in the lower store when it is full. */
const lowerNames = readdirSync(join(lower, "nix/store")).sort();
const builds = canBuild ? test : test.skip;

for (const [name, mount] of [
  ["layered", false],
  ["mounted", true],
] as const) {
  if (mount && noMount !== undefined) continue;

  builds(`build, ask, copy and collect in a store upon another one, ${name}`, async () => {
    const store = overlay(name);
    for (const each of ["upper", "work", "m/nix/store"]) mkdirSync(join(place(name), each), { recursive: true });
    if (mount) {
      const options = `lowerdir=${lower}/nix/store,upperdir=${place(name)}/upper,workdir=${place(name)}/work`;
      nix("mount", "-t", "overlay", "overlay", "-o", options, `${place(name)}/m/nix/store`);
    }
    try {
      const link = place(`${name}-result`);
      const top = await floe("build", ".#top", "--out-link", link, "--print-out-paths", "--store", store);
      assert.is(readlinkSync(link), top);
      const own = (): string[] => readdirSync(join(place(name), "upper")).filter((each) => !each.startsWith("."));
      assert.ok(own().includes(top.slice("/nix/store/".length)));
      assert.not.ok(own().includes(base.slice("/nix/store/".length)), "the lower store's output was made again");
      assert.equal((await floe("store", "query", "-R", top, "--store", store)).split("\n").sort(), [base, top].sort());
      assert.is(await floe("store", "query", "--referrers", base, "--store", store), top);
      assert.is(await floe("nar", "cat", top, "", "--store", store), `base and top\n${base}`);
      await floe("store", "verify", "--all", "--check-contents", "--store", store);

      // Elsewhere, and back into another one.
      const cache = `file://${place(`${name}-cache`)}`;
      await floe("copy", "--from", store, "--to", cache, "--no-check-sigs", top);
      const other = overlay(`${name}-other`);
      await floe("copy", "--from", cache, "--to", other, "--no-check-sigs", top);
      assert.equal(
        readdirSync(join(place(`${name}-other`), "upper")).filter((each) => !each.startsWith(".")),
        [top.slice("/nix/store/".length)],
      );

      if (mount && isPresent) {
        // With the layers mounted its database is that of a whole store.
        const root = `${place(name)}/m`;
        assert.equal(nix("nix-store", "--store", root, "-qR", top).split("\n").sort(), [base, top].sort());
        nix("nix-store", "--store", root, "--verify-path", top, base);
        nix("nix-store", "--store", root, "--verify", "--check-contents");
      }

      const dead = await floe("store", "add", place("text"), "--name", "dead", "--store", store);
      assert.is(await floe("store", "gc", "--dry-run", "--store", store), dead);
      await floe("store", "gc", "--store", store);
      // The output and its derivation.
      assert.is(own().length, 2);
      await refused("gc.shared", "store", "delete", base, "--store", store);
      assert.equal(readdirSync(join(lower, "nix/store")).sort(), lowerNames);
    } finally {
      if (mount) spawnSync("umount", [`${place(name)}/m/nix/store`]);
    }
  });
}

test("a store that is only read is asked, copied from and built upon, and never written", async () => {
  const info = await floe("store", "info", added, "--store", readOnly);
  assert.match(info, added);
  assert.is(await floe("store", "query", "-R", added, "--store", `local?root=${lower}&read-only=true`), added);
  await floe("store", "verify", "--all", "--check-contents", "--store", readOnly);
  await floe(
    "copy",
    "--from",
    `local?root=${lower}&read-only=true`,
    "--to",
    place("from-read-only"),
    "--no-check-sigs",
    added,
  );
  assert.is(readFileSync(join(place("from-read-only"), added), "utf8"), "text\n");
  // What is there already needs no writing.
  assert.is(await floe("build", added, "--no-link", "--print-out-paths", "--store", readOnly), added);
  assert.match((await floe("store", "gc", "--dry-run", "--store", readOnly)).split("\n").join(" "), added);
  writeFileSync(place("new"), "new");
  const target = `local?root=${lower}&read-only=true`;
  await floe("store", "add", place("new"), "--store", place("other"));
  const [fresh] = readdirSync(join(place("other"), "nix/store")).filter((name) => name.endsWith("-new"));
  for (const words of [
    ["store", "add", place("new"), "--store", readOnly],
    ["store", "gc", "--store", readOnly],
    ["store", "optimise", "--store", readOnly],
    ["store", "recover", "--store", readOnly],
    ["store", "delete", added, "--store", readOnly],
    ["copy", "--from", place("other"), "--to", target, "--no-check-sigs", `/nix/store/${fresh}`],
  ])
    await refused("store.read-only", ...words);
  if (canBuild) await refused("store.read-only", "build", ".#top", "--no-link", "--store", readOnly);
});

test("a store that is only read can lie below one of one's own", async () => {
  const store = `local-overlay://?root=${place("own")}&lower-store=${encodeURIComponent(readOnly)}&upper-layer=${place("own-upper")}`;
  const path = await floe("store", "add", place("text"), "--name", "mine", "--store", store);
  assert.equal(
    readdirSync(place("own-upper")).filter((each) => !each.startsWith(".")),
    [path.slice("/nix/store/".length)],
  );
  assert.match(await floe("store", "info", added, "--store", store), added);
  // Sizes of closures go through both.
  assert.match(await floe("store", "info", "-rsS", path, added, "--store", store), /-mine\s+120\s+120\n?/);
  assert.match(await floe("store", "ping", "--store", store), "Store URL: local-overlay://?root=");
});

test("store recover makes the database of a store upon another one anew, mounted or not, and leaves the lower one alone", async () => {
  for (const name of ["lost", ...(noMount === undefined ? ["lost-mounted"] : [])]) {
    const store = overlay(name);
    for (const each of ["upper", "work", "m/nix/store"]) mkdirSync(join(place(name), each), { recursive: true });
    if (name === "lost-mounted") {
      const options = `lowerdir=${lower}/nix/store,upperdir=${place(name)}/upper,workdir=${place(name)}/work`;
      nix("mount", "-t", "overlay", "overlay", "-o", options, `${place(name)}/m/nix/store`);
    }
    try {
      const mine = await floe("store", "add", place("text"), "--name", "mine", "--store", store);
      const before = await floe("store", "info", "-r", mine, added, "--store", store);
      const database = join(place(name), "m/nix/var/nix/db/db.sqlite");
      rmSync(database);
      await refused("store.database-lost", "store", "info", mine, "--store", store);
      await floe("store", "recover", "--store", store);
      assert.is(await floe("store", "info", "-r", mine, added, "--store", store), before);
      await floe("store", "verify", "--all", "--check-contents", "--store", store);
      // Without the journal too: what says of itself what it holds is known again.
      rmSync(database);
      rmSync(join(dirname(database), "floe-journal"));
      await floe("store", "recover", "--store", store);
      assert.match(await floe("store", "info", mine, "--store", store), mine);
      await floe("store", "gc", "--store", store);
      await refused("store.not-valid", "store", "info", mine, "--store", store);
      assert.match(await floe("store", "info", added, "--store", store), added);
      assert.equal(readdirSync(join(lower, "nix/store")).sort(), lowerNames);
    } finally {
      if (name === "lost-mounted") spawnSync("umount", [`${place(name)}/m/nix/store`]);
    }
  }
});

const referee = isPresent ? test : test.skip;

referee("real Nix writes a lower store and finds it whole afterwards", async () => {
  const theirs = place("theirs");
  const path = nix("nix-store", "--store", theirs, "--add", place("text"));
  const store = `local-overlay://?root=${place("upon")}&lower-store=${theirs}&upper-layer=${place("upon-upper")}`;
  assert.match(await floe("store", "info", path, "--store", store), path);
  await floe("store", "add", place("text"), "--name", "mine", "--store", store);
  await floe("store", "verify", "--all", "--check-contents", "--store", store);
  await floe("store", "gc", "--store", store);
  nix("nix-store", "--store", theirs, "--verify", "--check-contents");
  assert.is(nix("nix-store", "--store", theirs, "-qR", path), path);
  // It grows, and the store upon it sees that.
  writeFileSync(place("later"), "later");
  const later = nix("nix-store", "--store", theirs, "--add", place("later"));
  assert.is(await floe("store", "query", "-R", later, "--store", store), later);
  nix("nix-store", "--store", lower, "--verify", "--check-contents");
});

test.run();

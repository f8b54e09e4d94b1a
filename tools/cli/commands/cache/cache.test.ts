import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { scanTree } from "../../../../core/host/files/index.ts";
import { openLocalStore } from "../../../../core/host/local-store/index.ts";
import type { StorePath } from "../../../../core/store/index.ts";
import { floeCommand, runFloe, temporaryDirectory } from "../../testing.ts";

const directory = temporaryDirectory();
const store = ["--store", join(directory, "root")];
const key = join(directory, "key");
const NIX = ["--extra-experimental-features", "nix-command"];
const present = spawnSync("nix", ["--version"]).status === 0;
if (!present) console.log("skipped: nix is not on the PATH, so real Nix cannot be asked");
const referee = present ? test : test.skip;

let publicKey = "";
let path = "";

async function floe(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await runFloe(words);
  assert.is(code, 0, stderr);
  return stdout.trim();
}

function nix(program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: "utf8",
    env: { ...process.env, NIX_REMOTE: "", HOME: directory },
  });
  assert.is(status, 0, `${program} ${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}

/** Serve the store until `stop`. */
async function serve(...flags: string[]): Promise<{ readonly url: string; stop(): Promise<number | null> }> {
  const child: ChildProcess = spawn(
    process.execPath,
    [...floeCommand(), "cache", "serve", ...store, "--port", "0", ...flags],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.setEncoding("utf8").once("data", (text: string) => resolve(text.trim()));
    void ended.then(() => reject(new Error("the server ended")));
  });
  return {
    url,
    stop() {
      child.kill("SIGTERM");
      return ended;
    },
  };
}

test.before(async () => {
  publicKey = await floe("key", "generate", "cli-1", "--out", key);
  const tree = join(directory, "tree");
  mkdirSync(join(tree, "sub"), { recursive: true });
  writeFileSync(join(tree, "sub/tool"), "#!/bin/sh\n".repeat(10_000), { mode: 0o755 });
  path = await floe("store", "add", ...store, tree);
});

test("floe cache push writes a signed cache, and floe copy reads it", async () => {
  const cache = `file://${directory}/pushed`;
  const push = ["cache", "push", ...store, "--key-file", key, "--listings", cache, path];
  const first = await runFloe([...push, "--json"]);
  assert.equal(JSON.parse(first.stdout).copied, [path], first.stderr);
  assert.match((await runFloe(push)).stderr, "everything is there already");
  assert.ok(readdirSync(join(directory, "pushed")).includes(`${path.slice(11, 43)}.ls`));
  const target = ["--store", join(directory, "target")];
  const copy = ["copy", ...target, "--from", cache, path];
  // Addressed by its content, so nobody's key has to be trusted.
  assert.match((await runFloe(copy)).stderr, "1 store objects copied");
  assert.match((await runFloe(["store", "info", ...target, path])).stdout, "signed      cli-1:");
});

test("floe copy cannot take an output from a cache that does not know where it is", async () => {
  const floating = {
    name: "floating",
    outputs: { out: { hashAlgo: "r:sha256" } },
    inputSrcs: [],
    inputDrvs: {},
    system: "x86_64-linux",
    builder: "/bin/sh",
    args: ["-c", "echo > $out"],
    env: {},
  };
  const added = spawnSync(process.execPath, [...floeCommand(), "derivation", "add", ...store], {
    encoding: "utf8",
    input: JSON.stringify(floating),
  });
  assert.is(added.status, 0, added.stderr);
  const drvPath = added.stdout.trim();
  const { code, stderr } = await runFloe(["copy", ...store, "--from", `file://${directory}/pushed`, `${drvPath}^out`]);
  assert.equal([code, stderr.includes("[copy.no-path]")], [1, true], stderr);
  assert.match(stderr, `Cannot copy the output "out" of "${drvPath}"`);
});

test("floe copy needs somewhere to copy to", async () => {
  const { code, stderr } = await runFloe(["copy", ...store, path]);
  assert.equal([code, stderr.includes("[copy.nowhere]")], [1, true]);
});

test("floe copy reaches for nobody with --offline", async () => {
  const { code, stderr } = await runFloe(["copy", ...store, "--offline", "--to", "http://127.0.0.1:1/cache", "x"]);
  assert.is(code, 1);
  assert.match(
    stderr,
    'error: Cannot reach "http://127.0.0.1:1/cache": nobody on the network may be asked (--offline) [copy.offline]',
  );
});

test("floe cache push refuses a store that is no cache", async () => {
  const { code, stderr } = await runFloe(["cache", "push", ...store, join(directory, "other"), path]);
  assert.equal([code, stderr.includes("[cache.not-a-cache]")], [1, true]);
});

test("floe cache push --no-recursive wants what an object needs there, --compression-level packs it smaller", async () => {
  const root = join(directory, "levels");
  writeFileSync(join(directory, "words"), "some words that come again and again\n".repeat(20_000));
  const add = (...words: string[]): Promise<string> => floe("store", "add", "--store", root, ...words);
  const lib = await add(join(directory, "words"));
  writeFileSync(join(directory, "user"), `needs ${lib}`);
  const user = await add("--mode", "text", "--reference", lib, join(directory, "user"));
  const push = (cache: string, ...words: string[]) =>
    runFloe(["cache", "push", "--store", root, `file://${directory}/${cache}`, ...words]);
  const alone = await push("alone", "--no-recursive", user);
  assert.equal([alone.code, alone.stderr.includes("[store.reference-not-valid]")], [1, true], alone.stderr);
  assert.is((await push("alone", "--no-recursive", lib)).code, 0);
  assert.is((await push("alone", "--no-recursive", user)).code, 0);
  const sizes: number[] = [];
  for (const level of ["1", "19"]) {
    assert.is((await push(`level-${level}`, "--compression-level", level, lib)).code, 0);
    const [file = ""] = readdirSync(join(directory, `level-${level}`, "nar"));
    sizes.push(statSync(join(directory, `level-${level}`, "nar", file)).size);
  }
  assert.ok((sizes[1] as number) < (sizes[0] as number), sizes.join());
  const taken = await runFloe([
    "copy",
    "--store",
    join(directory, "no-lib"),
    "--from",
    `file://${directory}/alone`,
    "--no-recursive",
    user,
  ]);
  assert.equal([taken.code, taken.stderr.includes("[store.reference-not-valid]")], [1, true], taken.stderr);
});

test("floe copy takes what nobody signed with --no-check-sigs alone", async () => {
  const built = "/nix/store/z5qbk3rdymh6vmm8gfx4kpmkcyzfsi7b-unsigned" as StorePath;
  const from = join(directory, "unsigned");
  {
    using local = openLocalStore({ root: from });
    // The store is made by the first object.
    local.addText("t", "t", []);
    writeFileSync(local.realPath(built), "made");
    local.registerOutputs([
      { path: built, ...(await scanTree(local.realPath(built), { canonicalise: true })), signatures: [] },
    ]);
    local.flush();
  }
  const cache = `file://${directory}/unsigned-cache`;
  await floe("cache", "push", "--store", from, cache, built);
  const copy = ["copy", "--store", join(directory, "unsigned-target"), "--from", cache, built];
  const refused = await runFloe(copy);
  assert.equal([refused.code, refused.stderr.includes("[signature.untrusted]")], [1, true], refused.stderr);
  assert.is((await runFloe([...copy, "--no-check-sigs"])).code, 0);
});

test("floe cache serve ends well when it is told to", async () => {
  const server = await serve("--listen", "127.0.0.2", "--priority", "17");
  assert.match(server.url, /^http:\/\/127\.0\.0\.2:\d+$/);
  const said = await (await fetch(`${server.url}/nix-cache-info`)).text();
  assert.equal([said.includes("StoreDir: /nix/store\n"), said.includes("Priority: 17\n")], [true, true], said);
  assert.is(await server.stop(), 0);
});

referee("nix copy and nix-store -r take what floe cache serve offers", async () => {
  // A path that is known by what it was built from needs the signature.
  const built = "/nix/store/x5qbk3rdymh6vmm8gfx4kpmkcyzfsi7b-built" as StorePath;
  const local = openLocalStore({ root: join(directory, "root") });
  mkdirSync(local.realPath(built));
  writeFileSync(join(local.realPath(built), "file"), `needs ${path}`);
  const scanned = await scanTree(local.realPath(built), { candidates: [path as StorePath], canonicalise: true });
  local.registerOutputs([{ path: built, ...scanned, signatures: [] }]);
  local.close();
  for (const compression of ["none", "zstd"]) {
    const server = await serve("--key-file", key, "--compression", compression);
    const trust = ["--option", "trusted-public-keys", publicKey, "--option", "substituters"];
    const one = join(directory, `nix-${compression}`);
    nix("nix", ...NIX, "copy", "--from", server.url, "--to", one, built, ...trust, "");
    assert.match(nix("nix-store", "--store", one, "--verify", "--check-contents"), "");
    const two = join(directory, `realised-${compression}`);
    nix("nix-store", "--store", two, "-r", built, ...trust, server.url);
    assert.is(nix("nix-store", "--store", two, "-q", "--references", built), path);
    const unsigned = spawnSync(
      "nix",
      [
        ...NIX,
        "copy",
        "--from",
        server.url,
        "--to",
        join(directory, "none"),
        built,
        "--option",
        "trusted-public-keys",
        "",
      ],
      { encoding: "utf8", env: { ...process.env, NIX_REMOTE: "", HOME: directory } },
    );
    assert.match(unsigned.stderr, /lacks a (valid )?signature|because it lacks/);
    await server.stop();
  }
});

test.run();

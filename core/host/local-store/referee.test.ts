import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { formatHash } from "../../base/index.ts";
import { beginEvaluation, derivation, parseDerivation, toFile } from "../../derivation/index.ts";
import type { PathInfo, StorePath } from "../../store/index.ts";
import { makeSourceHost, scanTree } from "../files/index.ts";
import { openLocalStore } from "./index.ts";
import { openTemporaryStore } from "./testing.ts";

/** Real Nix looks at stores we wrote, and we at stores it wrote. */
const test = suite<ReturnType<typeof openTemporaryStore>>("referee");
test.before.each((context) => void Object.assign(context, openTemporaryStore()));
test.after.each((context) => context.close());

const present = spawnSync("nix-store", ["--version"]).status === 0;
const referee = present ? test : test.skip;
if (!present) console.log("skipped: nix-store is not on the PATH, so real Nix cannot be asked");

function nix(program: string, root: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, ["--store", root, ...args], {
    encoding: "utf8",
    env: { ...process.env, NIX_REMOTE: "" },
  });
  assert.is(status, 0, `${program} ${args.join(" ")}: ${stderr}`);
  return stdout;
}

const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");

referee("Nix verifies, lists and collects a store we wrote", async ({ store, folder }) => {
  const evaluation = beginEvaluation(makeSourceHost());
  const text = toFile("text", "hello");
  const a = derivation({
    name: "a",
    system: "x86_64-linux",
    builder: "/bin/sh",
    env: { text },
    outputs: ["out", "dev"],
  });
  const b = derivation({ name: "b", system: "x86_64-linux", builder: `${a}/bin/sh`, env: { dev: a.outputs["dev"] } });
  const from = join(folder, "tree");
  mkdirSync(join(from, "sub"), { recursive: true });
  writeFileSync(join(from, "sub/tool"), "x".repeat(100_000), { mode: 0o755 });
  writeFileSync(Buffer.from(`${from}/caf\xe9`, "latin1"), "latin");
  symlinkSync("sub/tool", join(from, "link"));
  const tree = await store.batch(async () => {
    store.addText("text", "hello", []);
    for (const [path, term] of evaluation.derivations) store.addDerivationText(path, term);
    return store.addTree({ name: "tree", from });
  });
  // What a builder would leave: an output that refers to itself and to another path.
  const out = parseDerivation(evaluation.derivations.get(a.drvPath) as string, "a").outputs["out"]?.path as StorePath;
  mkdirSync(store.realPath(out));
  writeFileSync(join(store.realPath(out), "self"), `${out} ${text}`);
  const scanned = await scanTree(store.realPath(out), {
    candidates: [out, text as StorePath, tree],
    canonicalise: true,
  });
  assert.equal(scanned.references, [out, text].sort());
  store.registerOutputs([{ path: out, ...scanned, deriver: a.drvPath as StorePath, ultimate: true, signatures: [] }]);

  nix("nix-store", store.root, "--verify", "--check-contents");
  assert.equal(
    lines(nix("nix-store", store.root, "-qR", b.drvPath)).sort(),
    store.closure([b.drvPath as StorePath]).sort(),
  );
  assert.equal(lines(nix("nix-store", store.root, "-q", "--references", out)).sort(), scanned.references);
  assert.equal(
    lines(nix("nix-store", store.root, "-q", "--referrers", text)).sort(),
    store.queryReferrers(text as StorePath),
  );
  assert.equal(lines(nix("nix-store", store.root, "-q", "--deriver", out)), [a.drvPath]);
  assert.equal(
    lines(nix("nix-store", store.root, "-q", "--outputs", a.drvPath)).sort(),
    Object.values(a.outputs).sort(),
  );
  const { narHash } = store.queryPathInfo(tree) as PathInfo;
  assert.is(lines(nix("nix-store", store.root, "-q", "--hash", tree))[0], formatHash(narHash, "typed-base32"));
  store.addIndirectRoot(join(folder, "result"), out);
  store.close();
  nix("nix-store", store.root, "--gc");
  const after = openLocalStore({ root: store.root });
  // The deriver of a live path stays too (keep-derivations), with what it needs.
  assert.equal(after.allPaths(), [out, text, a.drvPath].sort());
  assert.is(after.isValid(tree), false);
  after.close();
});

referee("Nix and we add odd things at the same places, and Nix finds ours whole", async ({ store, folder }) => {
  const at = (name: string): string => join(folder, name);
  writeFileSync(at("empty"), "");
  writeFileSync(at("program"), "#!/bin/sh\n", { mode: 0o711 });
  mkdirSync(at("directory"));
  symlinkSync("no/such/place", at("link"));
  writeFileSync(at("big"), Buffer.alloc(5_000_003, "big "));
  mkdirSync(at("many"));
  // Enough for both sides to write, with names that are no text.
  for (let i = 0; i < 700; i++)
    writeFileSync(Buffer.concat([Buffer.from(`${at("many")}/f${i}`), Buffer.of(0xff)]), "x".repeat((i * 97) % 3000));
  const theirRoot = at("theirs");
  mkdirSync(theirRoot);
  for (const name of ["empty", "program", "directory", "link", "big", "many"])
    assert.is(
      await store.addTree({ name, from: at(name) }),
      nix("nix-store", theirRoot, "--add", at(name)).trim(),
      name,
    );
  assert.is(
    await store.addTree({ name: "program", from: at("program"), method: "flat", algorithm: "sha1" }),
    nix("nix-store", theirRoot, "--add-fixed", "sha1", at("program")).trim(),
  );
  nix("nix-store", store.root, "--verify", "--check-contents");
});

referee("temporary roots keep real Nix from collecting", async ({ store }) => {
  const kept = store.addText("kept", "x", []);
  // The collector waits until our hold on its lock ends, a moment after the last root.
  await new Promise((resolve) => setTimeout(resolve, 400));
  nix("nix-store", store.root, "--gc");
  assert.is(store.isValid(kept), true);
});

referee("we read a store that Nix wrote", ({ store, folder }) => {
  const root = join(folder, "nix-root");
  writeFileSync(join(folder, "file"), "contents");
  const path = lines(nix("nix-store", root, "--add", join(folder, "file")))[0] as StorePath;
  const expression = `derivation { name = "n"; system = "s"; builder = "/bin/sh"; src = ${folder}/file; outputs = [ "out" "dev" ]; }`;
  writeFileSync(join(folder, "default.nix"), expression);
  const drvPath = lines(nix("nix-instantiate", root, join(folder, "default.nix")))[0] as StorePath;
  const nixes = openLocalStore({ root, readOnly: true });
  assert.equal(nixes.closure([drvPath]), [path, drvPath]);
  const drv = nixes.readDerivation(drvPath);
  assert.equal(nixes.queryValidDerivers(drv.outputs["dev"]?.path as StorePath), [drvPath]);
  assert.is(nixes.queryPathInfo(path)?.narSize, 120);
  nixes.close();
  // And we may write to it.
  const writable = openLocalStore({ root });
  writable.addText("ours", "x", [path]);
  writable.close();
  nix("nix-store", root, "--verify", "--check-contents");
  assert.ok(store.root !== root);
});

test.run();

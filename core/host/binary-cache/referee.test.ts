import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  formatKey,
  formatNarInfo,
  type NarInfo,
  parseNarInfo,
  type PathInfo,
  publicKeyOf,
  type StorePath,
} from "../../store/index.ts";
import { removeTree, scanTree } from "../files/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { findProgram } from "../process/index.ts";
import { generateSecretKey, writeSecretKey } from "../signing/index.ts";
import { copyPaths, openStoreUrl } from "../stores/index.ts";
import { serveDirectory } from "./testing.ts";

/** Real Nix reads caches that we wrote, and we those that it wrote. */
interface Context {
  readonly source: ReturnType<typeof openTemporaryStore>;
  readonly target: ReturnType<typeof openTemporaryStore>;
  readonly directory: string;
  readonly top: StorePath;
}

const test = suite<Context>("caches and real Nix");
const secretKey = generateSecretKey("referee-1");
const publicKey = publicKeyOf(secretKey);
const present = findProgram("nix") !== undefined;
if (!present) console.log("skipped: nix is not on the PATH, so real Nix cannot be asked");
const referee = present ? test : test.skip;

test.before.each(async (context) => {
  const directory = mkdtempSync(join(tmpdir(), "floe-referee-"));
  const [source, target] = [openTemporaryStore(), openTemporaryStore()];
  const { store } = source;
  writeSecretKey(join(directory, "key"), secretKey);
  const text = store.addText("text", "text", []);
  const top = "/nix/store/x5qbk3rdymh6vmm8gfx4kpmkcyzfsi7b-built" as StorePath;
  const real = store.realPath(top);
  mkdirSync(join(real, "bin"), { recursive: true });
  writeFileSync(join(real, "bin/tool"), `#!/bin/sh\ncat ${text} ${top}\n${"x".repeat(200_000)}`, { mode: 0o755 });
  symlinkSync("bin/tool", join(real, "link"));
  mkdirSync(join(real, "empty"));
  const scanned = await scanTree(real, { candidates: [text, top], canonicalise: true });
  store.registerOutputs([{ path: top, ...scanned, signatures: [] }]);
  Object.assign(context, { directory, source, target, top });
});
test.after.each(({ source, target, directory }) => {
  source.close();
  target.close();
  removeTree(directory);
});

function nix(directory: string, program: string, ...args: string[]): string {
  const flags = program === "nix" ? ["--extra-experimental-features", "nix-command"] : [];
  const { status, stdout, stderr } = spawnSync(program, [...flags, ...args, "--option", "substituters", ""], {
    encoding: "utf8",
    env: { ...process.env, NIX_REMOTE: "", HOME: directory },
  });
  assert.is(status, 0, `${program} ${args.join(" ")}: ${stderr}`);
  return stdout;
}

const trust = ["--option", "trusted-public-keys", formatKey(publicKey)];

for (const compression of ["zstd", "xz", "bzip2", "gzip", "br", "none"]) {
  referee(`Nix takes from a cache of ${compression} that we wrote, in a directory and on the web`, async (context) => {
    const { source, directory, top } = context;
    const cache = join(directory, "cache");
    const url = `file://${cache}?compression=${compression}&secret-key=${directory}/key&write-nar-listing=1`;
    using ours = await openStoreUrl(url, { create: true });
    await copyPaths({ from: source.store, to: ours, paths: [top], trusted: [] });
    const one = join(directory, "one");
    nix(directory, "nix", "copy", "--from", `file://${cache}`, "--to", one, top, ...trust);
    nix(directory, "nix-store", "--store", one, "--verify", "--check-contents");
    const { narHash } = source.store.queryPathInfo(top) as PathInfo;
    const [theirs] = JSON.parse(nix(directory, "nix", "path-info", "--store", one, "--json", top));
    assert.is(theirs.narHash, `sha256-${Buffer.from(narHash.digest).toString("base64")}`);
    // What Nix says of the cache itself: listings and facts.
    assert.match(nix(directory, "nix", "store", "ls", "--store", `file://${cache}`, "-lR", top), "bin/tool");
    nix(directory, "nix", "store", "verify", "--store", `file://${cache}`, "-r", top, ...trust);
  });

  referee(`we take from a cache of ${compression} that Nix wrote`, async (context) => {
    const { source, target, directory, top } = context;
    const cache = join(directory, "cache");
    const url = `file://${cache}?compression=${compression}&secret-key=${directory}/key`;
    nix(directory, "nix", "copy", "--from", source.store.root, "--to", url, top, "--no-check-sigs");
    const server = await serveDirectory(cache);
    try {
      using theirs = await openStoreUrl(server.url);
      await copyPaths({ from: theirs, to: target.store, paths: [top], trusted: [publicKey] });
      nix(directory, "nix-store", "--store", target.store.root, "--verify", "--check-contents");
      assert.equal(target.store.closure([top]), source.store.closure([top]));
      for (const name of readdirSync(cache).filter((each) => each.endsWith(".narinfo"))) {
        const text = readFileSync(join(cache, name), "utf8");
        assert.is(formatNarInfo(parseNarInfo(text)), text);
      }
    } finally {
      await server.close();
    }
  });
}

referee("Nix takes an archive of several frames of zstd", async ({ source, directory }) => {
  const { store } = source;
  const large = "/nix/store/y5qbk3rdymh6vmm8gfx4kpmkcyzfsi7b-large" as StorePath;
  // 40 MB that compress a little.
  writeFileSync(store.realPath(large), Buffer.alloc(40_000_000, randomBytes(200_000).toString("hex")));
  const scanned = await scanTree(store.realPath(large), { canonicalise: true });
  store.registerOutputs([{ path: large, ...scanned, signatures: [] }]);
  const cache = join(directory, "cache");
  using ours = await openStoreUrl(`file://${cache}?secret-key=${directory}/key`, { create: true });
  await copyPaths({ from: store, to: ours, paths: [large], trusted: [] });
  const file = readFileSync(join(cache, ((await ours.queryPathInfo(large)) as NarInfo).url));
  assert.ok(file.indexOf(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), 1) > 0, "more than one frame");
  const one = join(directory, "one");
  nix(directory, "nix", "copy", "--from", `file://${cache}`, "--to", one, large, ...trust);
  nix(directory, "nix-store", "--store", one, "--verify", "--check-contents");
});

referee("Nix writes into a cache that we began, and we into one that it began", async (context) => {
  const { source, target, directory, top } = context;
  const [text] = source.store.closure([top]) as [StorePath];
  for (const [name, first] of [
    ["ours", "us"],
    ["theirs", "Nix"],
  ] as const) {
    const url = `file://${directory}/${name}`;
    const byNix = (path: StorePath): string =>
      nix(directory, "nix", "copy", "--from", source.store.root, "--to", url, path, "--no-check-sigs");
    const byUs = async (path: StorePath): Promise<void> => {
      using cache = await openStoreUrl(url, { create: true });
      await copyPaths({ from: source.store, to: cache, paths: [path], trusted: [] });
    };
    if (first === "us") await byUs(text);
    else byNix(text);
    if (first === "us") byNix(top);
    else await byUs(top);
    using cache = await openStoreUrl(url);
    assert.equal(await cache.closure([top]), [text, top]);
  }
  using ours = await openStoreUrl(`file://${directory}/ours`);
  await copyPaths({ from: ours, to: target.store, paths: [top], trusted: "all" });
  nix(directory, "nix-store", "--store", target.store.root, "--verify", "--check-contents");
});

test.run();

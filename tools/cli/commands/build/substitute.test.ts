import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FileTransport, openBinaryCache } from "../../../../core/host/binary-cache/index.ts";
import { openLocalStore } from "../../../../core/host/local-store/index.ts";
import { generateSecretKey } from "../../../../core/host/signing/index.ts";
import { copyPaths } from "../../../../core/host/stores/index.ts";
import { formatKey, publicKeyOf, type StorePath } from "../../../../core/store/index.ts";
import { runFloe, temporaryDirectory } from "../../testing.ts";
import { writeFlake } from "../../testing-flake.ts";

const directory = temporaryDirectory();
const flake = join(directory, "flake");
const config = join(directory, "config");
const cacheUrl = `file://${directory}/cache`;
const key = generateSecretKey("cache-1");
const trusted = formatKey(publicKeyOf(key));

mkdirSync(flake);
mkdirSync(join(config, "floe"), { recursive: true });
writeFlake(flake, `greeting: shell("greeting", "echo hello > $out")`);

function floe(root: string, words: readonly string[]) {
  const env = { XDG_CACHE_HOME: join(directory, "cache-home"), XDG_CONFIG_HOME: config };
  return runFloe([...words, "--store", join(directory, root)], { cwd: flake, env });
}
function settings(value: object): void {
  writeFileSync(join(config, "floe/settings.json"), JSON.stringify(value));
}

let path: StorePath;

test("floe build takes from the stores of the settings what a trusted key signed", async () => {
  settings({});
  const first = await floe("first", ["build", ".#greeting", "--no-link", "--print-out-paths"]);
  assert.is(first.code, 0, first.stderr);
  path = first.stdout.trim() as StorePath;
  using from = openLocalStore({ root: join(directory, "first") });
  const cache = await openBinaryCache(
    { transport: new FileTransport(join(directory, "cache")), secretKey: key },
    { create: true },
  );
  await copyPaths({ from, to: cache, paths: [path], trusted: [] });

  settings({ substituters: [cacheUrl], trustedPublicKeys: [trusted] });
  const plan = await floe("second", ["build", ".#greeting", "--dry-run", "--json"]);
  const [job] = JSON.parse(plan.stdout) as { kind: string; path: string; from: string; downloadSize: number }[];
  assert.equal([job?.kind, job?.path, job?.from], ["substitute", path, cacheUrl]);
  assert.ok((job?.downloadSize ?? 0) > 0);
  const words = await floe("second", ["build", ".#greeting", "--dry-run"]);
  assert.match(words.stdout, /^fetch greeting: \d+ B from file:/);
  assert.match(words.stderr, /1 to do \(\d+ B to download, 120 B unpacked\)/);

  const second = await floe("second", ["build", ".#greeting", "--no-link"]);
  assert.is(second.code, 0, second.stderr);
  assert.match(second.stderr, /1 to take from file:.*:\n {2}greeting\nfetched greeting from file:/);
  assert.match(second.stderr, /0 built, 1 fetched/);
});

test("floe build leaves out a store whose signatures do not count, and says so", async () => {
  settings({});
  const words = ["build", ".#greeting", "--no-link", "--extra-substituter", cacheUrl];
  const result = await floe("third", words);
  assert.is(result.code, 0, result.stderr);
  assert.match(
    result.stderr,
    /warning: file:.*cache: Cannot trust ".*-greeting": the signatures of cache-1 do not count/,
  );
  assert.match(result.stderr, /1 built, 0 fetched/);
  const fourth = await floe("fourth", [...words, "--trusted-key", trusted]);
  assert.match(fourth.stderr, /0 built, 1 fetched/);
});

test("floe build takes a store path that no flake is named for", async () => {
  const lone = await floe("fifth", ["build", path, "--no-link"]);
  assert.is(lone.code, 1);
  assert.match(lone.stderr, /store\.not-valid/);
  const given = ["--substituters", `${cacheUrl} file://${directory}/absent`, "--trusted-key", trusted];
  const result = await floe("fifth", ["build", path, "--no-link", ...given]);
  assert.is(result.code, 0, result.stderr);
  assert.match(result.stderr, /warning: file:.*absent is left out: /);
  assert.match(result.stderr, /0 built, 1 fetched/);
});

test("floe log shows what a store has kept of a builder's words", async () => {
  settings({});
  const missing = await floe("sixth", ["log", ".#greeting"]);
  assert.match(missing.stderr, /log\.missing/);
  const { drvPath } = JSON.parse((await floe("sixth", ["build", ".#greeting", "--no-link", "--json"])).stdout)[0];
  rmSync(join(directory, "sixth/nix/var/log"), { recursive: true });
  const log = zstdCompressSync("said elsewhere\n");
  mkdirSync(join(directory, "cache/log"));
  writeFileSync(join(directory, "cache/log", drvPath.slice("/nix/store/".length)), log);
  const found = await floe("sixth", ["log", ".#greeting", "--extra-substituter", cacheUrl]);
  assert.is(found.stdout, "said elsewhere\n", found.stderr);
});

test("floe build asks nobody on the network with --offline, and nobody at all with --no-substitute", async () => {
  settings({ substituters: ["http://127.0.0.1:1"], trustedPublicKeys: [trusted] });
  const down = await floe("seventh", ["build", ".#greeting", "--no-link", "--dry-run"]);
  assert.match(down.stderr, /warning: http:\/\/127.0.0.1:1 is left out: /);
  for (const flag of ["--offline", "--no-substitute"]) {
    const result = await floe("seventh", ["build", ".#greeting", "--no-link", "--dry-run", flag]);
    assert.is(result.stderr.includes("127.0.0.1"), false);
    assert.is(result.code, 0);
  }
});

test.run();

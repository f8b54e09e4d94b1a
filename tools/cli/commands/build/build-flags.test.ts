import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CliResult, runFloe, temporaryDirectory } from "../../testing.ts";
import { writeFlake } from "../../testing-flake.ts";

/** Flags that say how builders run: what each of them changes, seen by a builder or by whoever runs the command. */
const directory = temporaryDirectory();
const flake = join(directory, "flake");
const root = join(directory, "root");

mkdirSync(flake);
const uuid = "read now < /proc/sys/kernel/random/uuid; echo $now > $out";
// When it began and ended, with some work in between.
const interval =
  "read begin rest < /proc/uptime; i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done; read end rest < /proc/uptime; echo $begin $end > $out";
const privileges =
  "while read name value; do case $name in NoNewPrivs:) echo $value > $out;; esac; done < /proc/self/status";
writeFlake(
  flake,
  `
    cores: shell("cores", "echo $NIX_BUILD_CORES > $out"),
    privileges: shell("privileges", "${privileges}"),
    privilegesToo: shell("privileges-too", "${privileges}"),
    differing: shell("differing", "${uuid}"),
    impure: shell("impure", "${uuid}", { impure: true }),
    hungry: shell("hungry", "x=0123456789; while :; do x=$x$x$x; done"),
    one: shell("one", "${interval}", { env: { requiredMemory: "3G" } }),
    two: shell("two", "${interval}", { env: { requiredMemory: "3G" } }),
    silent: shell("silent", "while :; do :; done"),
    noisy: shell("noisy", "while :; do echo words; done"),
    broken: shell("broken", "echo first line; echo second line; exit 3"),
    slow: shell("slow", "i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done; echo > $out"),
  `,
);

function floe(words: readonly string[], env: Record<string, string> = {}): Promise<CliResult> {
  return runFloe(["build", "--no-link", ...words, "--store", root], {
    cwd: flake,
    env: { XDG_CACHE_HOME: join(directory, "cache"), XDG_CONFIG_HOME: join(directory, "config"), ...env },
  });
}

async function contents(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await floe([...words, "--print-out-paths"]);
  assert.is(code, 0, stderr);
  return readFileSync(root + stdout.trim(), "utf8").trim();
}

async function fails(code: number, said: string, ...words: string[]): Promise<CliResult> {
  const result = await floe(words);
  assert.equal([result.code, result.stderr.includes(said)], [code, true], result.stderr);
  return result;
}

test("floe build --cores is told to the builder", async () => {
  assert.is(await contents(".#cores", "--cores", "3"), "3");
});

test("floe build --allow-new-privileges lets builders gain rights, who otherwise cannot", async () => {
  assert.is(await contents(".#privileges"), "1");
  // bubblewrap never lets them.
  const isOurs = existsSync(join(import.meta.dirname, "../../../../dist/floe-sandbox"));
  assert.is(await contents(".#privilegesToo", "--allow-new-privileges"), isOurs ? "0" : "1");
});

test("floe build --rounds compares what several builds give", async () => {
  await fails(104, "[build.not-deterministic]", ".#differing", "--rounds", "2");
});

test("floe build --impure-derivations builds what is impure, anew each time", async () => {
  await fails(1, "[build.impure]", ".#impure");
  const first = await contents(".#impure", "--impure-derivations");
  assert.is.not(await contents(".#impure", "--impure-derivations"), first);
});

test("floe build --max-process-memory and --max-memory end a builder that wants more", async () => {
  await fails(100, "[build.failed]", ".#hungry", "--max-process-memory", "100M");
  const { code, stderr } = await floe([".#hungry", "--max-memory", "100M"]);
  assert.is(code, 100);
  // Where nobody may make control groups the limit is not passed over in silence.
  assert.match(stderr, /\[build\.(out-of-memory|no-memory-limit)\]/);
});

test("floe build --memory-budget lets builds that need more together wait for each other", async () => {
  const { code, stdout, stderr } = await floe([".#one", ".#two", "-j2", "--memory-budget", "4G", "--print-out-paths"]);
  assert.is(code, 0, stderr);
  const [one, two] = stdout
    .trim()
    .split("\n")
    .map(
      (path) =>
        readFileSync(root + path, "utf8")
          .split(" ")
          .map(Number) as [number, number],
    );
  assert.ok(one !== undefined && two !== undefined);
  assert.ok(one[1] <= two[0] || two[1] <= one[0], `${one} and ${two} overlap`);
});

test("floe build --timeout and --max-silent-time end builders with 101", async () => {
  await fails(101, "[build.timeout]", ".#silent", "--timeout", "1");
  await fails(101, "[build.timeout]", ".#silent", "--max-silent-time", "1");
});

test("floe build --max-build-log-size ends a builder that prints too much, --log-lines shows less of it", async () => {
  await fails(100, "[build.log-too-large]", ".#noisy", "--max-build-log-size", "1000");
  const { stderr } = await fails(100, "second line", ".#broken", "--log-lines", "1");
  assert.not.match(stderr, "first line");
});

test("floe build --min-free collects in the background", async () => {
  const file = join(directory, "garbage");
  writeFileSync(file, "garbage");
  const added = await runFloe(["store", "add", file, "--store", root]);
  const garbage = root + added.stdout.trim();
  assert.ok(existsSync(garbage));
  const built = await floe([".#slow", "--min-free", "1000T", "--max-free", "2000T"]);
  assert.is(built.code, 0, built.stderr);
  assert.not.ok(existsSync(garbage));
});

test("floe build --refresh asks again what caches have said", async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.writeHead(request.url === "/nix-cache-info" ? 200 : 404).end("StoreDir: /nix/store\n");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const plan = [".#broken", "--dry-run", "--extra-substituter", url];
    assert.is((await floe(plan)).code, 0);
    const first = asked.splice(0);
    assert.ok(first.length >= 2, first.join());
    assert.is((await floe(plan)).code, 0);
    assert.equal(asked, []);
    assert.is((await floe([...plan, "--refresh"])).code, 0);
    assert.equal(asked, first);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test.run();

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readBuildLog } from "../build-log/index.ts";
import { openBuildBench } from "./testdata/build-bench.ts";

const test = suite("builds without a sandbox");
const bench = await openBuildBench();
const script = fileURLToPath(new URL("testdata/build-once.ts", import.meta.url));

if (typeof bench === "string") {
  console.log(`skipped: ${bench}`);
} else {
  const { store, real } = bench;
  /** Build in a process that sees the bench's `/nix` as the machine's. */
  const buildAtRoot = (drvPath: string, ...flags: readonly string[]) =>
    spawnSync(
      "bwrap",
      [
        ...["--dev-bind", "/", "/", "--bind", `${bench.directory}/root/nix`, "/nix", "--"],
        ...[process.execPath, script, "/", drvPath, ...flags],
      ],
      { encoding: "utf8", env: { ...process.env, SECRET: "s", TMPDIR: bench.directory } },
    );
  const leftovers = (): string[] =>
    readdirSync(store.realStoreDirectory).filter((name) => /\.(chroot|lock|check)$/.test(name));

  test("without a sandbox only the store at / will do", async () => {
    const report = await bench.build(await bench.script("touch $out", { name: "plain" }), { sandbox: false });
    assert.is(report.failures[0]?.error.code, "build.no-sandbox-elsewhere");
  });

  test("without a sandbox a builder gets its own environment and nothing else, in the store at /", async () => {
    const value = await bench.script('echo "$NIX_BUILD_TOP $HOME [$SECRET]" > $out; test "$PWD" = "$NIX_BUILD_TOP"', {
      name: "unsandboxed",
    });
    const enclosed = buildAtRoot(value.drvPath, "--no-sandbox");
    if (enclosed.stderr.includes("bwrap: ")) return console.log(`skipped: ${enclosed.stderr.trim()}`);
    assert.equal([enclosed.status, enclosed.stderr], [0, ""]);
    assert.match(readFileSync(real(value), "utf8"), /^\/\S+\/build-unsandboxed-\w+ \/homeless-shelter \[\]\n$/);
    assert.equal(
      leftovers().filter((name) => name.includes("unsandboxed")),
      [],
    );
  });

  test("without a sandbox no valid output is overwritten, and a failure leaves nothing", async () => {
    const random = await bench.script("echo first > $out; cat /proc/sys/kernel/random/uuid >> $out", { name: "risky" });
    const enclosed = buildAtRoot(random.drvPath, "--no-sandbox");
    if (enclosed.stderr.includes("bwrap: ")) return console.log(`skipped: ${enclosed.stderr.trim()}`);
    const before = readFileSync(real(random), "utf8");
    const again = buildAtRoot(random.drvPath, "--no-sandbox", "--rebuild");
    assert.is(again.status, 100);
    assert.match(again.stderr, /Cannot build "risky" without a sandbox: its builder would overwrite \/nix\/store\//);
    assert.is(readFileSync(real(random), "utf8"), before);

    const fails = await bench.script("test ! -e $out && echo cleared; echo half > $out; exit 1", {
      name: "risky-half",
    });
    writeFileSync(real(fails), "of a run that was killed");
    assert.match(buildAtRoot(fails.drvPath, "--no-sandbox").stderr, "> cleared");
    assert.not.ok(existsSync(real(fails)));
  });

  test("where the sandbox is relaxed a derivation leaves it that asks to, and no other does", async () => {
    const script = "test -e /usr && echo out > $out || echo in > $out";
    const asks = await bench.script(script, { name: "asks-out", env: { __noChroot: true } });
    const stays = await bench.script(script, { name: "stays-in", env: { other: asks } });
    const enclosed = buildAtRoot(stays.drvPath, "--relaxed");
    if (enclosed.stderr.includes("bwrap: ")) return console.log(`skipped: ${enclosed.stderr.trim()}`);
    assert.equal([enclosed.status, enclosed.stderr], [0, ""]);
    assert.equal(
      [asks, stays].map((value) => readFileSync(real(value), "utf8")),
      ["out\n", "in\n"],
    );
    assert.is(
      (await bench.build(await bench.script("touch $out", { env: { __noChroot: true } }), { sandbox: "relaxed" }))
        .failures[0]?.error.code,
      "build.no-sandbox-elsewhere",
    );
  });

  test("extended attributes that a builder sets without a sandbox are not in its outputs", async () => {
    const python = "/usr/bin/python3";
    if (!existsSync(python)) return console.log("skipped: python3 is not there, which sets extended attributes");
    const set = "import os,sys; os.setxattr(sys.argv[1], 'user.floe', b'1'); print(os.listxattr(sys.argv[1]))";
    const list = "import os,sys; print([os.listxattr(p) for p in sys.argv[1:]])";
    const value = await bench.script(
      `mkdir $out; echo content > $out/file; for p in $out $out/file; do ${python} -c "${set}" $p; done`,
      { name: "attributed" },
    );
    const enclosed = buildAtRoot(value.drvPath, "--no-sandbox");
    if (enclosed.stderr.includes("bwrap: ")) return console.log(`skipped: ${enclosed.stderr.trim()}`);
    assert.is(enclosed.status, 0, enclosed.stderr);
    // The file system has such attributes, as the log of the builder shows.
    assert.is(String(await readBuildLog(store, value.drvPath)), "['user.floe']\n['user.floe']\n");
    const found = spawnSync(python, ["-c", list, real(value), `${real(value)}/file`], { encoding: "utf8" });
    assert.is(found.stdout, "[[], []]\n");
  });

  test.after(() => bench.close());
}

test.run();

import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { StorePath } from "../../store/index.ts";
import { openBuildBench } from "./testdata/build-bench.ts";

const test = suite("hooks of builds");
const bench = await openBuildBench();

if (typeof bench === "string") {
  console.log(`skipped: ${bench}`);
} else {
  const { store, directory, real } = bench;
  const isRoot = process.getuid?.() === 0;
  let count = 0;
  const hook = (text: string): string => {
    const file = `${directory}/hook-${++count}`;
    writeFileSync(file, `#!/bin/sh\n${text}\n`);
    chmodSync(file, 0o755);
    return file;
  };
  type Report = Awaited<ReturnType<typeof bench.build>>;
  const notices = ({ events }: Report): string[] =>
    events.flatMap((event) => (event.kind === "notice" ? [event.message] : []));

  test("the hook after a build is told what was built when it is valid, and what needs the build waits for it", async () => {
    const lib = await bench.script("echo lib > $out; echo dev > $dev", { name: "lib", outputs: ["out", "dev"] });
    const app = await bench.script(`cat ${lib} > $out`, { name: "app" });
    const log = `${directory}/log`;
    const postBuildHook = hook(
      `pwd; echo "begin $DRV_PATH $OUT_PATHS" >> ${log}; for p in $OUT_PATHS; do test -e "$FLOE_STORE$p" || exit 9; done; sleep 0.1; echo end >> ${log}`,
    );
    const report = await bench.build(app, { postBuildHook });
    assert.is(report.exitCode, 0);
    assert.equal(notices(report), ["/", "/"]);
    assert.equal(readFileSync(log, "utf8").split("\n"), [
      `begin ${lib.drvPath} ${lib.outputs["dev"]} ${lib.outPath}`,
      "end",
      `begin ${app.drvPath} ${app.outPath}`,
      "end",
      "",
    ]);
    // What is there already is not built.
    assert.equal(notices(await bench.build(app, { postBuildHook })), []);
    assert.equal(notices(await bench.build(app, { postBuildHook, rebuild: true })), ["/"]);
  });

  test("a hook finds what was built registered", async () => {
    const value = await bench.script("echo registered > $out", { name: "registered" });
    const report = await bench.build(value, {
      postBuildHook: hook(
        `test -e "$FLOE_STORE/nix/var/nix/db/db.sqlite" && grep -c "$OUT_PATHS" "$FLOE_STORE/nix/var/nix/db/db.sqlite" "$FLOE_STORE/nix/var/nix/db/db.sqlite-wal" | grep -cv ":0"`,
      ),
    });
    assert.is(report.exitCode, 0);
    assert.not.equal(notices(report), ["0"]);
  });

  test("a hook that fails fails the build and what needs it; what was built stays valid", async () => {
    const lib = await bench.script("echo lib2 > $out", { name: "lib2" });
    const app = await bench.script(`cat ${lib} > $out`, { name: "app2" });
    const postBuildHook = hook("echo words; exit 3");
    const report = await bench.build(app, { postBuildHook });
    assert.equal([report.exitCode, report.failures[0]?.error.code], [100, "build.hook-failed"]);
    assert.is(
      report.failures[0]?.error.message,
      `Cannot go on after building "lib2": the hook "${postBuildHook}" ended with exit code 3`,
    );
    assert.equal([notices(report), report.built, report.dependencyFailed], [["words"], [], [app.drvPath]]);
    assert.ok(store.isValid(lib.outPath));
    const missing = await bench.build(app, { postBuildHook: "/nowhere/hook" });
    assert.match(missing.failures[0]?.error.message ?? "", /could not be run: .*ENOENT/);
    const killed = await bench.build(await bench.script("echo killed > $out"), { postBuildHook: hook("kill -9 $$") });
    assert.match(killed.failures[0]?.error.message ?? "", /was killed by SIGKILL$/);
  });

  test("with asyncPostBuildHook what needs a build does not wait for the hook, but the run does; hooks run one by one", async () => {
    const lib = await bench.script("echo lib3 > $out", { name: "lib3" });
    const app = await bench.script(`cat ${lib} > $out`, { name: "app3" });
    const log = `${directory}/async-log`;
    // The first hook ends only when the second build is there.
    const postBuildHook = hook(
      `echo "begin $OUT_PATHS" >> ${log}; n=0; while [ ! -e "$FLOE_STORE${app.outPath}" ]; do n=$((n + 1)); [ $n -lt 400 ] || exit 9; sleep 0.05; done; sleep 0.2; echo end >> ${log}`,
    );
    const report = await bench.build(app, { postBuildHook, asyncPostBuildHook: true });
    assert.is(report.exitCode, 0);
    assert.equal(report.built, [lib.drvPath, app.drvPath]);
    const begin = (value: typeof lib): string => `begin ${value.outPath}`;
    assert.equal(readFileSync(log, "utf8").split("\n"), [begin(lib), "end", begin(app), "end", ""]);
  });

  test("a hook that fails beside the builds fails its build at the end, and nothing else", async () => {
    const lib = await bench.script("echo lib4 > $out", { name: "lib4" });
    const app = await bench.script(`cat ${lib} > $out`, { name: "app4" });
    const postBuildHook = hook(`case $OUT_PATHS in *lib4) exit 3;; esac; echo told`);
    const report = await bench.build(app, { postBuildHook, asyncPostBuildHook: true });
    assert.equal([report.exitCode, report.built, report.dependencyFailed], [100, [app.drvPath], []]);
    assert.equal(
      report.failures.map(({ drvPath, error }) => [drvPath, error.code]),
      [[lib.drvPath, "build.hook-failed"]],
    );
    assert.equal(notices(report), ["told"]);
    assert.ok(store.isValid(lib.outPath) && store.isValid(app.outPath));
  });

  test("a hook beside the builds ends with a cancelled run", async () => {
    const abort = new AbortController();
    const begun = `${directory}/begun-async`;
    const running = bench.build(await bench.script("echo cancelled-async > $out"), {
      postBuildHook: hook(`touch ${begun}; sleep 30; touch ${begun}-end`),
      asyncPostBuildHook: true,
      signal: abort.signal,
    });
    while (!existsSync(begun)) await new Promise((resolve) => setTimeout(resolve, 10));
    abort.abort();
    const report = await running;
    assert.equal([report.exitCode, report.cancelled], [130, true]);
    assert.not.ok(existsSync(`${begun}-end`));
  });

  test("what a hook leaves at work is not waited for, and a cancelled run ends the hook", async () => {
    const slow = await bench.build(await bench.script("echo slow > $out"), {
      postBuildHook: hook("sleep 30 & echo queued"),
    });
    assert.equal([slow.exitCode, notices(slow)], [0, ["queued"]]);
    assert.ok(slow.elapsedMs < 20_000);

    const abort = new AbortController();
    const begun = `${directory}/begun`;
    const running = bench.build(await bench.script("echo cancelled > $out"), {
      postBuildHook: hook(`touch ${begun}; sleep 30; touch ${begun}-end`),
      signal: abort.signal,
    });
    while (!existsSync(begun)) await new Promise((resolve) => setTimeout(resolve, 10));
    abort.abort();
    const report = await running;
    assert.equal([report.exitCode, report.cancelled], [130, true]);
  });

  test("the hook for differences gets both outputs, the derivation and the build directory, and is no root", async () => {
    const value = await bench.script("mkdir $out; cat /proc/sys/kernel/random/uuid > $out/id", { name: "differs" });
    await bench.build(value);
    const diffHook = hook(
      `cmp -s $1/id $2/id || echo "differ: $1 $(basename $2) $3 $(ls -d $4 | grep -c build-differs)"; id -u; exit 1`,
    );
    for (const keepFailed of [false, true]) {
      const report = await bench.build(value, { rebuild: true, diffHook, keepFailed });
      assert.equal([report.exitCode, report.failures[0]?.error.code], [104, "build.not-deterministic"]);
      const [differ = "", uid, ending] = notices(report);
      const fresh = (value.outPath as StorePath).slice("/nix/store/".length);
      assert.is(differ, `differ: ${real(value)} ${fresh}${keepFailed ? ".check" : ""} ${value.drvPath} 1`);
      if (isRoot) assert.ok(Number(uid) >= 0x34000000, uid);
      assert.is(ending, `the hook "${diffHook}" ended with exit code 1`);
      assert.is(existsSync(`${real(value)}.check`), keepFailed);
    }
  });

  test("outputs that are the same need no hook for differences", async () => {
    const value = await bench.script("echo same > $out", { name: "same-twice" });
    await bench.build(value);
    const report = await bench.build(value, { rebuild: true, diffHook: hook("echo called") });
    assert.equal([report.exitCode, notices(report)], [0, []]);
  });

  test.after(() => bench.close());
}

test.run();

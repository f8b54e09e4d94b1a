import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { DerivationOptions, DerivationValue } from "../../derivation/index.ts";
import { isVerifiablyContentAddressed, makeTextPath, type PathInfo, type StorePath } from "../../store/index.ts";
import { openBuildBench } from "./testdata/build-bench.ts";

/** Outputs that are addressed as texts, and as git names trees: floating ones and fixed ones. */
const test = suite("methods of content addressing");
const bench = await openBuildBench();

if (typeof bench === "string") {
  console.log(`skipped: ${bench}`);
} else {
  const { store, script, build } = bench;
  const text = { contentAddressed: { method: "text", algorithm: "sha256" } } as const;
  const git = (algorithm: "sha1" | "sha256") => ({ contentAddressed: { method: "git", algorithm } }) as const;
  const info = (path: StorePath) => store.queryPathInfo(path) as PathInfo;

  async function made(value: DerivationValue): Promise<StorePath> {
    const report = await build(value);
    assert.is(report.exitCode, 0, report.failures.map(({ error }) => error.message).join());
    return report.outputs[0] as StorePath;
  }
  async function codes(words: string, options: Partial<DerivationOptions>): Promise<unknown> {
    const { failures } = await build(await script(words, options));
    return failures.map(({ error }) => [error.code, error.exitCode]);
  }

  test("a text output is the very object that adding the text makes", async () => {
    const input = await script("echo input > $out", { name: "text-input" });
    const value = await script(`printf '%s' "see ${input}" > $out`, { name: "letter", ...text });
    const path = await made(value);
    const reference = input.outPath as StorePath;
    assert.is(path, makeTextPath("letter", `see ${reference}`, [reference]));
    assert.equal(info(path).references, [reference]);
    assert.match(info(path).ca ?? "", /^text:sha256:/);
    assert.ok(isVerifiablyContentAddressed(info(path)));
    assert.is(store.addText("letter", `see ${reference}`, [reference]), path);
    assert.equal((await build(value)).plan.jobs, []);
  });

  test("text outputs may refer to each other in one direction, not to themselves", async () => {
    const value = await script("echo $doc > $out; echo doc > $doc", {
      name: "pair",
      outputs: ["out", "doc"],
      ...text,
    });
    const report = await build(value);
    const [doc, out] = report.outputs as [StorePath, StorePath];
    assert.is(readFileSync(store.realPath(out), "utf8"), `${doc}\n`);
    assert.is(out, makeTextPath("pair", `${doc}\n`, [doc]));
    assert.equal(await codes("echo $out > $out", { name: "self", ...text }), [["content-address.references", 100]]);
    assert.equal(await codes("mkdir $out", { name: "tree", ...text }), [["build.not-flat", 100]]);
    assert.equal(await codes("echo > $out; chmod +x $out", { name: "tool", ...text }), [["build.not-flat", 100]]);
  });

  test("an output that is named like a derivation has to be one", async () => {
    const refused = [["build.not-a-derivation", 100]];
    assert.equal(await codes("echo no derivation > $out", { name: "made.drv", ...text }), refused);
    assert.equal(await codes("mkdir $out", { name: "made.drv" }), refused);
    assert.equal(await codes("truncate -s 1G $out", { name: "made.drv" }), refused);
    const inner = await script("echo inner > $out", { name: "inner" });
    const term = readFileSync(store.realPath(inner.drvPath), "utf8");
    const write = `printf '%s' "$term" > $out`;
    // Its inputs count as references only where the builder has them.
    assert.equal(
      await codes(write, { name: "inner.drv", env: { term: term.replaceAll("/nix/store/", "/nix/other/") }, ...text }),
      refused,
    );
    const value = await script(write, { name: "inner.drv", env: { term }, ...text });
    assert.equal(store.readDerivation(await made(value)), store.readDerivation(inner.drvPath as StorePath));
  });

  test("a fixed text has the path of its content, whatever made it", async () => {
    const hash = "sha256-DDBxQY5jVuYUiYyE7QZMqV6IVRvAgRtTS98ZUuza5TQ=";
    const fixed = { method: "text", hash } as const;
    const value = await script("echo fixed > $out", { name: "fixed-text", fixed });
    assert.is(value.outPath, makeTextPath("fixed-text", "fixed\n", []));
    assert.is(await made(value), value.outPath);
    assert.equal(await codes("echo other > $out", { name: "other-text", fixed }), [["build.hash-mismatch", 102]]);
  });

  const tree =
    'mkdir -p $out/lib $out/empty; echo x > $out/lib/a; echo y > $out/lib.c; ln -s lib $out/link; echo "#!" > $out/run; chmod +x $out/run';

  test("a tree is addressed as git names it, and an output with references is refused", async () => {
    for (const algorithm of ["sha1", "sha256"] as const) {
      const path = await made(await script(tree, { name: "tree", ...git(algorithm) }));
      assert.match(info(path).ca ?? "", new RegExp(`^fixed:git:${algorithm}:`));
      assert.ok(isVerifiablyContentAddressed(info(path)));
      assert.is(await store.addTree({ name: "tree", from: store.realPath(path), method: "git", algorithm }), path);
    }
    const refused = [["content-address.references", 100]];
    assert.equal(await codes("mkdir $out; echo $out > $out/x", { name: "self-git", ...git("sha1") }), refused);
    assert.equal(await codes("echo > $out; chmod +x $out", { name: "tool", ...git("sha1") }), [
      ["build.not-flat", 100],
    ]);
    assert.equal(await codes("ln -s x $out", { name: "link", ...git("sha1") }), [["build.not-flat", 100]]);
  });

  const hasGit = spawnSync("git", ["--version"]).status === 0;
  if (!hasGit) console.log("skipped: git is not on the PATH, so it cannot name trees");

  (hasGit ? test : test.skip)("a fixed output is pinned by the tree of a commit", async () => {
    const repository = `${bench.directory}/repository`;
    const run = (...args: string[]): string => String(execFileSync("git", ["-C", repository, ...args])).trim();
    execFileSync("git", ["init", "-q", repository]);
    execFileSync("sh", ["-ec", `out=${repository}; ${tree}; rmdir $out/empty`]);
    run("add", "-A");
    const fixed = { method: "git", hash: `sha1:${run("write-tree")}` } as const;
    const value = await script(`${tree}; rmdir $out/empty`, { name: "pinned", fixed });
    assert.is(await made(value), value.outPath);
    assert.is(store.readDerivation(value.drvPath as StorePath).outputs["out"]?.hashAlgorithm, "git:sha1");
    assert.equal(await codes(tree, { name: "not-pinned", fixed }), [["build.hash-mismatch", 102]]);
  });

  test.after(() => bench.close());
}

test.run();

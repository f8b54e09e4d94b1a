import { spawnSync } from "node:child_process";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { DerivationOptions } from "../../derivation/index.ts";
import type { StorePath } from "../../store/index.ts";
import { buildPaths } from "./build-paths.ts";
import { openBuildBench } from "./testdata/build-bench.ts";

/** Rules for outputs, judged by real Nix as well. */
const bench = await openBuildBench();
const hasNix = spawnSync("nix-store", ["--version"]).status === 0;

if (typeof bench === "string" || !hasNix) {
  console.log(
    `skipped: ${typeof bench === "string" ? bench : "nix-store is not on the PATH, so real Nix cannot be asked"}`,
  );
} else {
  const { script, openOther } = bench;
  const lib = await script("echo lib > $out", { name: "lib" });
  const mid = await script(`echo ${lib} > $out`, { name: "mid" });
  const self = `echo ${mid} $out > $out`;
  const RULES: readonly [accepted: boolean, text: string, options: Partial<DerivationOptions>][] = [
    [true, self, { env: { allowedReferences: [mid, "out"] } }],
    [false, self, { env: { allowedReferences: [mid] } }],
    [false, self, { env: { allowedRequisites: [mid] } }],
    [true, self, { env: { allowedRequisites: [mid, lib] } }],
    [true, self, { env: { disallowedReferences: [lib] } }],
    [false, self, { env: { disallowedRequisites: [lib] } }],
    [false, self, { env: { disallowedReferences: ["out"] } }],
    [true, self, { env: { disallowedRequisites: ["out"] } }],
    [false, "echo x > $out", { env: { allowedReferences: ["nope"] } }],
  ];
  const structured: readonly [accepted: boolean, checks: object][] = [
    [true, { maxSize: 300 }],
    [false, { maxSize: 100 }],
    [false, { maxClosureSize: 300 }],
    [true, { maxClosureSize: 3000 }],
    [false, { allowedRequisites: [`${mid}`, `${lib}`] }],
  ];

  test("outputs are accepted and refused as by Nix", async () => {
    const cases: { accepted: boolean; drvPath: StorePath }[] = [];
    for (const [i, [accepted, text, options]] of RULES.entries())
      cases.push({ accepted, drvPath: (await script(text, { name: `rule-${i}`, ...options })).drvPath as StorePath });
    for (const [i, [accepted, checks]] of structured.entries()) {
      const text = `read -r j < .attrs.json || true; o=\${j#*'"outputs":{"out":"'}; o=\${o%%'"'*}; echo ${mid} $o > $o`;
      const structuredAttrs = { outputChecks: { out: checks } };
      const value = await script(text, { name: `structured-${i}`, structuredAttrs });
      cases.push({ accepted, drvPath: value.drvPath as StorePath });
    }
    const targets = cases.map(({ drvPath }) => ({ drvPath }));
    const ours = await openOther();
    const report = await buildPaths({ store: ours, targets, options: { keepGoing: true, maxJobs: 2 } });
    const refused = new Set(report.failures.map((failure) => failure.drvPath));
    assert.equal(
      cases.map(({ drvPath }) => !refused.has(drvPath)),
      cases.map(({ accepted }) => accepted),
      report.failures.map(({ error }) => error.message).join("\n"),
    );
    assert.is(report.exitCode, 100);

    const theirs = await openOther();
    theirs.close();
    const judged = cases.map(({ drvPath }) => {
      const words = ["--realise", drvPath, "--store", theirs.root, "--option", "sandbox-fallback", "false"];
      const env = { ...process.env, NIX_REMOTE: "", NIX_CONFIG: "build-users-group =\nsubstituters =\nsandbox = true" };
      return spawnSync("nix-store", words, { env }).status === 0;
    });
    assert.equal(
      judged,
      cases.map(({ accepted }) => accepted),
    );
  });

  test("an output may say that what it mentions is not what it needs", async () => {
    const find = (name: string): string => `\${j#*'"${name}":"/nix/store'}`;
    const text = `read -r j < .attrs.json || true; j=\${j#*'"outputs":'}; for n in out dev; do
      case $n in out) p=${find("out")};; dev) p=${find("dev")};; esac; p=/nix/store\${p%%'"'*}; echo ${mid} $p > $p; done`;
    const value = await script(text, {
      name: "image",
      outputs: ["out", "dev"],
      structuredAttrs: { unsafeDiscardReferences: { out: true } },
    });
    assert.is((await bench.build(value)).exitCode, 0);
    const references = (output: string) => bench.store.queryPathInfo(value.outputs[output] as StorePath)?.references;
    assert.equal([references("out"), references("dev")], [[], [value.outputs["dev"], mid.outPath].sort()]);
  });

  test.after(() => bench.close());
}

test.run();

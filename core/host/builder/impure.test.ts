import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { formatHash, hashBytes } from "../../base/index.ts";
import {
  type Derivation,
  type DerivationValue,
  formatDerivation,
  outputOf,
  placeholder,
} from "../../derivation/index.ts";
import { isVerifiablyContentAddressed, type PathInfo, type StorePath } from "../../store/index.ts";
import { type BuildOptions, buildPaths } from "./build-paths.ts";
import { openBuildBench } from "./testdata/build-bench.ts";

const test = suite("impure derivations");
const bench = await openBuildBench();

if (typeof bench === "string") {
  console.log(`skipped: ${bench}`);
} else {
  const { store, script } = bench;
  const allowed: BuildOptions = { impureDerivations: true };
  const impure = { impure: true } as const;
  // What no two builds read alike.
  const different = "read now < /proc/sys/kernel/random/uuid; echo $now";
  const build = (value: DerivationValue, options: BuildOptions = allowed) => bench.build(value, options);
  const text = (path: StorePath | undefined) => readFileSync(store.realPath(path ?? ""), "utf8");

  async function made(value: DerivationValue, options?: BuildOptions): Promise<StorePath> {
    const report = await build(value, options);
    assert.is(report.exitCode, 0, report.failures.map(({ error }) => error.message).join());
    return report.outputs[0] as StorePath;
  }
  const codeOf = (promise: Promise<unknown>): Promise<unknown> => promise.then(String, ({ code }) => code);

  test("an impure derivation is built each time, and its result is addressed by its content", async () => {
    const value = await script(`${different} > $out`, { name: "random", ...impure });
    assert.match(readFileSync(store.realPath(value.drvPath), "utf8"), /\("out","","r:sha256","impure"\)/);
    const first = await made(value);
    const second = await made(value);
    assert.is.not(text(first), text(second));
    const info = store.queryPathInfo(first) as PathInfo;
    assert.ok(isVerifiablyContentAddressed(info));
    assert.equal([info.deriver, info.ultimate], [value.drvPath, true]);
    assert.equal(
      [store.findOutput(store.readDerivation(value.drvPath), "out"), store.hasRealisations],
      [undefined, false],
    );
    // Several rounds of one would only tell what it says of itself.
    await made(value, { ...allowed, rounds: 2 });
    await made(value, { ...allowed, rebuild: true });
  });

  test("it is refused unless the machine allows it, in the middle of a plan too", async () => {
    const value = await script("echo x > $out", { name: "forbidden", ...impure });
    assert.is(await codeOf(build(value, {})), "build.impure");
    const outer = await script(`cat ${value} > $out`, { name: "outer", ...impure });
    assert.is(await codeOf(build(outer, {})), "build.impure");
  });

  test("impure derivations may depend on it, pure ones may not", async () => {
    const value = await script(`echo same > $out`, { name: "same", ...impure });
    const outer = await script(`cat ${value} > $out; echo more >> $out`, { name: "outer-impure", ...impure });
    const report = await build(outer);
    assert.equal(report.built.length, 2);
    assert.is(text(report.outputs[0]), "same\nmore\n");
    const pure = await script(`cat ${value} > $out`, { name: "pure" });
    assert.is(await codeOf(build(pure)), "build.impure-input");
    const floating = await script(`cat ${value} > $out`, { name: "floating", contentAddressed: true });
    assert.is(await codeOf(build(floating)), "build.impure-input");
  });

  test("a fixed output that depends on one is built once", async () => {
    const value = await script("echo same > $out", { name: "same-again", ...impure });
    const hash = formatHash(hashBytes("sha256", "same\n"), "sri");
    const fixed = await script(`cat ${value} > $out`, { name: "pinned-again", fixed: { method: "flat", hash } });
    assert.is(await made(fixed), fixed.outPath);
    assert.equal((await build(fixed)).plan.jobs, []);
  });

  test("its builder has the network and the variables it asks for, and neither when nothing may be downloaded", async () => {
    const server = createServer((_, answer) => void answer.end("from the network"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    process.env["FLOE_IMPURE_TEST"] = "told";
    try {
      const { port } = server.address() as AddressInfo;
      const ask = `printf 'GET / HTTP/1.0\r\n\r\n' | nc 127.0.0.1 ${port} > $out; echo $FLOE_IMPURE_TEST >> $out`;
      const env = { impureEnvVars: "FLOE_IMPURE_TEST" };
      const value = await script(ask, { name: "asks", env, ...impure });
      assert.match(text(await made(value)), /from the networktold\n$/);
      const [failure] = (await build(value, { ...allowed, offline: true })).failures;
      assert.is(failure?.error.exitCode, 100);
    } finally {
      delete process.env["FLOE_IMPURE_TEST"];
      server.close();
    }
  });

  test("two outputs, addressed by another method", async () => {
    const value = await script(`echo $doc > $out; ${different} > $doc`, {
      name: "pair",
      outputs: ["out", "doc"],
      impure: true,
      contentAddressed: { method: "text", algorithm: "sha256" },
    });
    const report = await build(value);
    const [doc, out] = report.outputs as [StorePath, StorePath];
    assert.is(text(out), `${doc}\n`);
    assert.equal(report.impure.get(`${value.drvPath}!doc`), doc);
    assert.match(store.queryPathInfo(out)?.ca ?? "", /^text:sha256:/);
  });

  test("what an impure builder writes is for impure derivations, and written each time", async () => {
    const written = (name: string, drv: Derivation, options: object) =>
      script(`printf '%s' "$term" | tr @ 1 > $out`, {
        ...{ name, env: { term: formatDerivation(drv).replaceAll("1", "@") } },
        ...{ contentAddressed: { method: "text", algorithm: "sha256" }, ...options },
      });
    const template = store.readDerivation((await script("true")).drvPath as StorePath);
    const env = { PATH: template.env["PATH"] as string };
    const plain: Derivation = {
      ...template,
      ...{ name: "plain", args: ["sh", "-ec", "echo plain > $out"], env: { ...env, out: "" } },
      outputs: { out: { path: "", hashAlgorithm: "", hash: "" } },
    };
    const changing: Derivation = {
      ...plain,
      ...{ name: "changing", env: { ...env, out: placeholder("out") } },
      outputs: { out: { path: "", hashAlgorithm: "r:sha256", hash: "impure" } },
    };
    const writer = await written("plain.drv", plain, impure);
    const other = await written("changing.drv", changing, {});
    const pure = await script(`cat ${outputOf(writer)} > $out`, { name: "pure-user" });
    assert.is(await codeOf(build(pure)), "build.impure-input");
    const late = await build(await script(`cat ${outputOf(other)} > $out`, { name: "late-user" }));
    assert.equal([late.exitCode, late.failures.map(({ error }) => error.code)], [100, ["build.impure-input"]]);
    const user = await script(`cat ${outputOf(writer)} ${outputOf(other)} > $out`, { name: "user", ...impure });
    for (const count of [4, 3]) {
      const report = await build(user);
      assert.equal(
        [report.exitCode, report.built.length],
        [0, count],
        report.failures.map(({ error }) => error.message).join(),
      );
      assert.is(readFileSync(store.realPath(report.outputs[0] as StorePath), "utf8"), "plain\nplain\n");
    }
    const target = { drvPath: writer.drvPath as StorePath, through: ["out"] };
    const report = await buildPaths({ store, targets: [target], options: { impureDerivations: true } });
    assert.equal([report.exitCode, report.built, report.outputs.length], [0, [writer.drvPath], 1]);
    assert.match(report.followed.get(target)?.drvPath ?? "", /-plain\.drv$/);
  });

  test.after(() => bench.close());
}

test.run();

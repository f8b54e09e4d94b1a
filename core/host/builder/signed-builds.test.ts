import { suite } from "uvu";
import * as assert from "uvu/assert";
import { isTrusted, type PathInfo, publicKeyOf, realisationSigners, type StorePath } from "../../store/index.ts";
import { ed25519, generateSecretKey } from "../signing/index.ts";
import { openBuildBench } from "./testdata/build-bench.ts";

const test = suite("signed builds");
const bench = await openBuildBench();

if (typeof bench === "string") {
  console.log(`skipped: ${bench}`);
} else {
  const { store } = bench;
  const secretKeys = ["one-1", "two-1"].map(generateSecretKey);

  test("what is built is signed with every key, and stands by each of them", async () => {
    const lib = await bench.script("echo lib > $out", { name: "lib" });
    const value = await bench.script(`echo ${lib} > $out`, { name: "signed" });
    assert.is((await bench.build(value, { secretKeys })).exitCode, 0);
    for (const path of [lib, value].map(({ outPath }) => outPath as StorePath)) {
      const info = store.queryPathInfo(path) as PathInfo;
      assert.is(info.signatures.length, 2);
      for (const key of secretKeys) assert.ok(isTrusted(info, [publicKeyOf(key)], ed25519));
    }
  });

  test("so is what an output became that is addressed by its content", async () => {
    const floating = await bench.script("echo floating > $out", {
      name: "floating",
      contentAddressed: true,
    });
    assert.is((await bench.build(floating, { secretKeys })).exitCode, 0);
    const [id] = store.realisationIds(store.readDerivation(floating.drvPath)).values();
    const realisation = store.queryRealisation(id as string);
    assert.ok(realisation !== undefined);
    assert.equal(realisationSigners(realisation, secretKeys.map(publicKeyOf), ed25519), ["one-1", "two-1"]);
  });

  test("without keys nothing is signed", async () => {
    const plain = await bench.script("echo plain > $out", { name: "plain" });
    await bench.build(plain);
    assert.equal(store.queryPathInfo(plain.outPath as StorePath)?.signatures, []);
  });

  test.after(() => bench.close());
}

test.run();

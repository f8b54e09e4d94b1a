import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../base/index.ts";
import type { StorePath } from "../store/index.ts";
import {
  derivationPath,
  downstreamPlaceholder,
  formatDerivation,
  makeScratchPath,
  mustResolve,
  parseDerivation,
  resolveDerivation,
} from "./index.ts";

// shared vectors content-addressed.json: deferred.out and what Nix 2.8.0 resolved it to.
const PLAIN_DRV = "/nix/store/bm5b0v9f53dcx99zky5a49pay45vq1ck-ca-plain-one.drv" as StorePath;
const PLAIN = "/nix/store/i1pyzmfbsqg5gw4v2wvz347liyg70war-ca-plain-one" as StorePath;
const INPUT_DRV = "/nix/store/rf9sskdd7xxwdgnc9gsqqv87vgbgic34-ia-one.drv" as StorePath;
const INPUT = "/nix/store/cygwimpfb3y3gnsdzrzn7zlbfm64w8j1-ia-one" as StorePath;
const DEFERRED = `Derive([("out","","","")],[("${PLAIN_DRV}",["out"]),("${INPUT_DRV}",["out"])],[],"x86_64-linux","/bin/sh",["-c","echo /11ww374mlm67k6dwgyp2lcy1qf0v45hjwz2lnj9z7gjbxcvslhnv ${INPUT} > $out"],[("builder","/bin/sh"),("name","def-one"),("out",""),("system","x86_64-linux")])`;
const RESOLVED = `Derive([("out","/nix/store/gva66i5jv6qv8hjplknmmllxwj9p4rld-def-one","","")],[],["${INPUT}","${PLAIN}"],"x86_64-linux","/bin/sh",["-c","echo ${PLAIN} ${INPUT} > $out"],[("builder","/bin/sh"),("name","def-one"),("out","/nix/store/gva66i5jv6qv8hjplknmmllxwj9p4rld-def-one"),("system","x86_64-linux")])`;

const realised = (drvPath: StorePath): StorePath | undefined =>
  drvPath === PLAIN_DRV ? PLAIN : drvPath === INPUT_DRV ? INPUT : undefined;

test("resolveDerivation() puts realised paths in place of inputs and fills in deferred outputs", () => {
  const resolved = resolveDerivation(parseDerivation(DEFERRED, "def-one"), { realised });
  assert.is(formatDerivation(resolved), RESOLVED);
  assert.is(derivationPath(resolved), "/nix/store/cz58y4dp11mhj65abs78mdy2yfkrad0i-def-one.drv");
});

test("resolveDerivation() replaces placeholders in the builder and in names of variables", () => {
  const drv = parseDerivation(DEFERRED, "def-one");
  const hole = downstreamPlaceholder(PLAIN_DRV, "out");
  const resolved = resolveDerivation({ ...drv, builder: `${hole}/sh`, env: { [`at${hole}`]: "1" } }, { realised });
  assert.is(resolved.builder, `${PLAIN}/sh`);
  assert.is(resolved.env[`at${PLAIN}`], "1");
});

test("resolveDerivation() names an output that is not realised", () => {
  const drv = parseDerivation(DEFERRED, "def-one");
  assert.throws(
    () => resolveDerivation(drv, { realised: () => undefined }),
    (error: CodedError) => error.code === "derivation.not-realised" && error.message.includes(PLAIN_DRV),
  );
});

test("mustResolve() tells which derivations wait for their inputs' paths", () => {
  const drv = parseDerivation(DEFERRED, "def-one");
  const outputs = (path: string, hashAlgorithm: string, hash: string) => ({ out: { path, hashAlgorithm, hash } });
  const known = (): boolean => true;
  assert.ok(mustResolve(drv, known), "deferred");
  const floating = { ...drv, outputs: outputs("", "r:sha256", "") };
  assert.ok(mustResolve(floating, known), "floating with inputs");
  assert.not.ok(mustResolve({ ...floating, inputDerivations: new Map() }, known), "floating without inputs");
  const fixed = { ...drv, outputs: outputs(PLAIN, "sha256", "00".repeat(32)) };
  assert.not.ok(mustResolve(fixed, known), "fixed with inputs that are known");
  assert.ok(
    mustResolve(fixed, (path) => path !== PLAIN_DRV),
    "fixed with a floating input",
  );
  assert.not.ok(mustResolve({ ...drv, outputs: outputs(PLAIN, "", "") }, known), "input-addressed");
});

test("makeScratchPath() gives the places where Nix builds floating outputs", () => {
  // Nix 2.8: NIX_STORE_DIR=/tmp/scratch-fixture/store nix-build of a floating derivation whose builder prints $out and $doc.
  const store = "/tmp/scratch-fixture/store";
  const drvPath = `${store}/0rivq6k9bxfp42m29a2b2v9s9yfghg0s-scratch.drv` as StorePath;
  assert.is(makeScratchPath(drvPath, "out", store), `${store}/fns45jccbq4l5k61g5dgyz754081qgsc-scratch`);
  assert.is(makeScratchPath(drvPath, "doc", store), `${store}/46vaynic9xbnbcaxxp6zj4y8sq3qdyk0-scratch-doc`);
});

test.run();

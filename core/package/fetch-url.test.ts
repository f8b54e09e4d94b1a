import { test } from "uvu";
import * as assert from "uvu/assert";
import { fetchUrl } from "./index.ts";
import { beginTinyEvaluation } from "./testdata/tiny-set.ts";

const HASH = "sha256-GOnSQWaArDwVzO6LkabFdNgRHYprKD2ZnhPIMCeAGpo=";

test.before.each(() => {
  beginTinyEvaluation();
});

test("fetchUrl() makes the derivation Nix makes", () => {
  const evaluation = beginTinyEvaluation();
  const { drvPath, outPath } = fetchUrl({
    url: "https://example.org/9/hello-2.10.tar.gz",
    hash: HASH,
    executable: true,
  });
  // Nix 2.8: nix-instantiate of <nix/fetchurl.nix> with the same address, hash and executable = true
  assert.is(outPath, "/nix/store/9i32hgcssc4w40yhv7a31rmhpg9x5705-hello-2.10.tar.gz");
  assert.is(
    evaluation.derivations.get(drvPath),
    'Derive([("out","/nix/store/9i32hgcssc4w40yhv7a31rmhpg9x5705-hello-2.10.tar.gz","r:sha256","18e9d2416680ac3c15ccee8b91a6c574d8111d8a6b283d999e13c83027801a9a")],[],[],"builtin","builtin:fetchurl",[],[("builder","builtin:fetchurl"),("executable","1"),("impureEnvVars","http_proxy https_proxy ftp_proxy all_proxy no_proxy"),("name","hello-2.10.tar.gz"),("out","/nix/store/9i32hgcssc4w40yhv7a31rmhpg9x5705-hello-2.10.tar.gz"),("outputHash","sha256-GOnSQWaArDwVzO6LkabFdNgRHYprKD2ZnhPIMCeAGpo="),("outputHashAlgo",""),("outputHashMode","recursive"),("preferLocalBuild","1"),("system","builtin"),("unpack",""),("url","https://example.org/9/hello-2.10.tar.gz"),("urls","https://example.org/9/hello-2.10.tar.gz")])',
  );
});

test("fetchUrl() takes a store name out of any address", () => {
  const value = fetchUrl({ url: "mirror://debian/pool/main/l/less/less_668~rc1+b1.tar.gz", hash: HASH });
  assert.is(value.name, "less_668-rc1+b1.tar.gz");
  // The path depends on content and name alone.
  assert.is(
    fetchUrl({ urls: ["https://a.example/x", "https://b.example/x"], name: value.name, hash: HASH }).outPath,
    value.outPath,
  );
});

test("fetchUrl() needs an address and an SRI hash", () => {
  assert.throws(
    () => fetchUrl({ hash: HASH }),
    (error: { code: string }) => error.code === "fetch-url.no-address",
  );
  assert.throws(
    () => fetchUrl({ url: "https://example.org/x", hash: "sha256:abc" }),
    (error: { code: string }) => error.code === "fetch-url.hash",
  );
});

test.run();

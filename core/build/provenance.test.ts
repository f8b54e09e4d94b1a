import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Derivation } from "../derivation/index.ts";
import { staleContentNotice, statedUrls } from "./provenance.ts";

const fetch = (env: Record<string, string>, path = "/nix/store/00000000000000000000000000000000-x"): Derivation => ({
  name: "x",
  outputs: { out: { path, hashAlgorithm: "sha256", hash: "00".repeat(32) } },
  inputDerivations: new Map(),
  inputSources: [],
  system: "builtin",
  builder: "builtin:fetchurl",
  args: [],
  env,
});

test("statedUrls() reads both variables, and structured attributes", () => {
  assert.equal(statedUrls(fetch({ url: "https://a.example/x", urls: "https://a.example/x  https://b.example/x" })), [
    "https://a.example/x",
    "https://b.example/x",
  ]);
  assert.equal(statedUrls(fetch({ __json: `{"urls":["https://a.example/x","https://b.example/x"]}` })), [
    "https://a.example/x",
    "https://b.example/x",
  ]);
  assert.equal(statedUrls(fetch({})), []);
});

test("staleContentNotice() tells of a new address with the old hash", () => {
  const old = fetch({ url: "https://a.example/x-1" });
  const notice = staleContentNotice(fetch({ url: "https://a.example/x-2" }), old) ?? "";
  assert.match(
    notice,
    /fetched from https:\/\/a\.example\/x-1 and is used as it is; https:\/\/a\.example\/x-2 is not tried/,
  );
});

test("staleContentNotice() is silent when an address stays, the hash changes, or nobody says where from", () => {
  const old = fetch({ urls: "https://a.example/x-1 https://mirror.example/x-1" });
  assert.is(staleContentNotice(fetch({ urls: "https://new.example/x https://mirror.example/x-1" }), old), undefined);
  const other = "/nix/store/11111111111111111111111111111111-x";
  assert.is(staleContentNotice(fetch({ url: "https://a.example/x-2" }, other), old), undefined);
  assert.is(staleContentNotice(fetch({}), old), undefined);
  assert.is(staleContentNotice(fetch({ url: "https://a.example/x-2" }), fetch({})), undefined);
});

test.run();

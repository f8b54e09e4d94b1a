import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../base/index.ts";
import {
  EMPTY_SUBSTITUTION_SETTINGS,
  mergeSubstitutionSettings,
  parseSubstitutionSettings,
  type SubstitutionSettings,
} from "./substitution-settings.ts";

// Nix manual, `trusted-public-keys`.
const KEY = "cache.example-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";

test("parseSubstitutionSettings() reads stores and keys, one or many", () => {
  const text = JSON.stringify({ substituters: "https://a.example", trustedPublicKeys: [KEY], mirrors: {} });
  const settings = parseSubstitutionSettings(text, "test") as SubstitutionSettings;
  assert.equal(settings.substituters, ["https://a.example"]);
  assert.equal(
    settings.trustedKeys.map(({ name }) => name),
    ["cache.example-1"],
  );
  assert.is(settings.requireSignatures, undefined);
  assert.is(parseSubstitutionSettings(`{ "mirrors": {} }`, "test"), undefined);
});

test("parseSubstitutionSettings() refuses other shapes and keys that are none", () => {
  const code = (expected: string) => (error: CodedError) => error.code === expected;
  for (const text of ["", "[]", `{"substituters":[1]}`, `{"requireSignatures":"no"}`, `{"trustedPublicKeys":{}}`])
    assert.throws(() => parseSubstitutionSettings(text, "test"), code("substitution.settings-malformed"));
  assert.throws(() => parseSubstitutionSettings(`{"trustedPublicKeys":"x"}`, "test"), code("key.malformed"));
});

test("mergeSubstitutionSettings() joins lists, and the first word on signatures counts", () => {
  const part = (text: string): SubstitutionSettings => parseSubstitutionSettings(text, "test") as SubstitutionSettings;
  const own = part(`{"substituters":["a","b"],"requireSignatures":false}`);
  const machine = part(`{"substituters":["b","c"],"requireSignatures":true,"trustedPublicKeys":["${KEY}"]}`);
  const merged = mergeSubstitutionSettings([own, machine, machine]);
  assert.equal(merged.substituters, ["a", "b", "c"]);
  assert.is(merged.trustedKeys.length, 1);
  assert.is(merged.requireSignatures, false);
  assert.equal(mergeSubstitutionSettings([]), { ...EMPTY_SUBSTITUTION_SETTINGS, requireSignatures: undefined });
});

test.run();

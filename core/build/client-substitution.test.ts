import { test } from "uvu";
import * as assert from "uvu/assert";
import { applyClientSubstitution } from "./client-substitution.ts";
import { parseSubstitutionSettings, type SubstitutionSettings } from "./substitution-settings.ts";

// Nix manual, `trusted-public-keys`.
const KEY = "cache.example-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";
const machine = parseSubstitutionSettings(
  JSON.stringify({ substituters: ["https://a"], trustedSubstituters: ["https://b"], trustedPublicKeys: [KEY] }),
  "test",
) as SubstitutionSettings;

test("applyClientSubstitution() lets nobody in particular choose among the stores the machine names", () => {
  const chosen = applyClientSubstitution(machine, { substituters: "https://b/ https://evil" }, false);
  assert.equal(chosen.settings.substituters, ["https://b/"]);
  assert.equal(chosen.refused, [`the store "https://evil" is not asked: only trusted users may name it`]);
  const extra = applyClientSubstitution(machine, { "extra-substituters": "https://b https://evil" }, false);
  assert.equal(extra.settings.substituters, ["https://a", "https://b"]);
  assert.is(extra.refused.length, 1);
  const none = applyClientSubstitution(machine, { substituters: "" }, false);
  assert.equal([none.settings.substituters, none.refused], [[], []]);
});

test("applyClientSubstitution() lets nobody in particular say whom to believe", () => {
  const evil = { "trusted-public-keys": KEY, "extra-trusted-public-keys": KEY, "require-sigs": "false" };
  const { settings, refused } = applyClientSubstitution(machine, evil, false);
  assert.equal(settings.trustedKeys, machine.trustedKeys);
  assert.is(settings.requireSignatures, undefined);
  assert.is(refused.length, 3);
});

test("applyClientSubstitution() takes everything from who is trusted, but keys that are none", () => {
  const named = {
    substituters: "https://c\nhttps://d",
    "extra-substituters": "https://e",
    "trusted-public-keys": `junk ${KEY.replace("cache", "other")}`,
    "require-sigs": "false",
    cores: "1",
  };
  const { settings, refused } = applyClientSubstitution(machine, named, true);
  assert.equal(settings.substituters, ["https://c", "https://d", "https://e"]);
  assert.equal(
    settings.trustedKeys.map(({ name }) => name),
    ["other.example-1"],
  );
  assert.is(settings.requireSignatures, false);
  assert.is(refused.length, 1);
  assert.match(refused[0] ?? "", "Cannot read");
});

test("applyClientSubstitution() changes nothing when nothing is said", () => {
  const { settings, refused } = applyClientSubstitution(machine, {}, false);
  assert.equal([settings.substituters, settings.trustedKeys, refused], [["https://a"], machine.trustedKeys, []]);
});

test.run();

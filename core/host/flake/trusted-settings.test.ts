import { spawn } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { temporaryFolder } from "../git/testing.ts";
import { defaultTrustedSettings, TrustedSettings } from "./trusted-settings.ts";

test("TrustedSettings find() gives what keep() was told, for just that value", () => {
  const value = fc.oneof(fc.string({ unit: "binary" }), fc.array(fc.string({ unit: "binary" }), { maxLength: 3 }));
  const name = fc.constantFrom("substituters", "trustedPublicKeys", "toString");
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value, fc.boolean()), { maxLength: 6 }), (said) => {
      const file = `${temporaryFolder()}/deep/in/trusted.json`;
      const last = new Map<string, boolean>();
      for (const [setting, each, isTrusted] of said) {
        new TrustedSettings(file).keep(setting, each, isTrusted);
        last.set(JSON.stringify([setting, each]), isTrusted);
      }
      const trusted = new TrustedSettings(file);
      for (const [setting, each] of said)
        assert.is(trusted.find(setting, each), last.get(JSON.stringify([setting, each])));
      assert.is(trusted.find("substituters", ["never said"]), undefined);
    }),
    { numRuns: 20 },
  );
});

test("TrustedSettings keep() writes a file that others cannot read", () => {
  const file = `${temporaryFolder()}/trusted.json`;
  new TrustedSettings(file).keep("substituters", ["https://a.example"], true);
  assert.is(statSync(file).mode & 0o077, 0);
  assert.equal(JSON.parse(readFileSync(file, "utf8")), {
    version: 1,
    settings: { substituters: { '["https://a.example"]': true } },
  });
});

test("TrustedSettings keep() of several processes at once loses no answer", async () => {
  const file = `${temporaryFolder()}/trusted.json`;
  const script = `import { TrustedSettings } from ${JSON.stringify(`${import.meta.dirname}/trusted-settings.ts`)};
    for (let i = 0; i < 10; i++) new TrustedSettings(process.argv[1]).keep("substituters", process.argv[2] + i, true);`;
  const keepTen = (who: string): Promise<number | null> =>
    new Promise((resolve) =>
      spawn(process.execPath, ["--input-type=module", "-e", script, file, who], { stdio: "inherit" }).on(
        "close",
        resolve,
      ),
    );
  const processes = ["a", "b", "c", "d"];
  assert.equal(await Promise.all(processes.map(keepTen)), [0, 0, 0, 0]);
  const trusted = new TrustedSettings(file);
  for (const who of processes) for (let i = 0; i < 10; i++) assert.is(trusted.find("substituters", who + i), true);
});

test("flake.trust-malformed: a file that nobody can read is no consent, and is not written over", () => {
  const file = `${temporaryFolder()}/trusted.json`;
  for (const text of ["", "{", "[]", '{"version":2,"settings":{}}', '{"version":1,"settings":{"a":{"b":"yes"}}}']) {
    writeFileSync(file, text);
    const trusted = new TrustedSettings(file);
    const isMalformed = (error: { code?: string }): boolean => error.code === "flake.trust-malformed";
    assert.throws(() => trusted.find("a", "b"), isMalformed);
    assert.throws(() => trusted.keep("a", "b", true), isMalformed);
    assert.is(readFileSync(file, "utf8"), text);
  }
});

test("defaultTrustedSettings() lies with the user's data", () => {
  assert.is(defaultTrustedSettings({}, "/home/a"), "/home/a/.local/share/floe/trusted-settings.json");
  assert.is(defaultTrustedSettings({ XDG_DATA_HOME: "/d" }, "/home/a"), "/d/floe/trusted-settings.json");
});

test.run();

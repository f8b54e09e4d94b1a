import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { compareVersions, parseNameAndVersion, splitVersion } from "./index.ts";

test("parseNameAndVersion() splits where Nix does", () => {
  // Nix 2.8: builtins.parseDrvName
  assert.equal(parseNameAndVersion("apache-httpd-2.0.48"), { name: "apache-httpd", version: "2.0.48" });
  assert.equal(parseNameAndVersion("foo-"), { name: "foo-", version: "" });
  assert.equal(parseNameAndVersion("--"), { name: "", version: "-" });
  assert.equal(parseNameAndVersion("foo-é-1"), { name: "foo", version: "é-1" });
  assert.equal(parseNameAndVersion("foo-\n1"), { name: "foo", version: "\n1" });
});

test("splitVersion() gives runs of digits and of what is none", () => {
  // Nix 2.8: builtins.splitVersion
  assert.equal(splitVersion("1.0-rc1"), ["1", "0", "rc", "1"]);
  assert.equal(splitVersion("-1"), ["1"]);
  assert.equal(splitVersion(""), []);
});

test("compareVersions() orders as Nix does", () => {
  // Nix 2.8: builtins.compareVersions
  const ascending = ["2.3pre1", "2.3pre3", "2.3", "2.3a", "2.3q", "2.3.1", "2.5", "10"];
  for (const [i, a] of ascending.entries())
    for (const [j, b] of ascending.entries()) assert.is(compareVersions(a, b), Math.sign(i - j), `${a} ${b}`);
  assert.is(compareVersions("1.01", "1.1"), 0);
  assert.is(compareVersions("2147483647", "2147483648"), 1, "beyond 31 bits a number is a text");
});

test("compareVersions() is turned about when its arguments are", () => {
  const version = fc.string({ unit: fc.constantFrom("0", "1", "9", ".", "-", "a", "pre", "é", "99999999999") });
  fc.assert(
    fc.property(version, version, (a, b) => {
      assert.is(compareVersions(a, b) + compareVersions(b, a), 0);
      assert.is(compareVersions(a, `${a}.`), 0);
    }),
  );
});

test.run();

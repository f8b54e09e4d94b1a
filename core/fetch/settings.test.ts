import { test } from "uvu";
import * as assert from "uvu/assert";
import { mergeFetchSettings, parseAptSources, parseFetchSettings, parseNpmrc } from "./settings.ts";

test("parseAptSources() reads one-line and deb822 style", () => {
  // Shapes from sources.list(5).
  const oneLine =
    "# comment\ndeb [arch=amd64 signed-by=/k.gpg] http://a.example/debian bookworm main\ndeb-src http://b.example/debian bookworm main\n";
  assert.equal(parseAptSources(oneLine), ["http://a.example/debian"]);
  const stanzas = `Types: deb
# http://archive.example/debian/20250520T000000Z
URIs: http://c.example/debian/ https://d.example/debian
Suites: bookworm

Types: deb
URIs: http://c.example/debian-security
Suites: bookworm-security

Enabled: no
Types: deb
URIs: http://off.example/debian

Types: deb
URIs: https://other.example/packages
Suites: stable
`;
  assert.equal(parseAptSources(stanzas), ["http://c.example/debian/", "https://d.example/debian"]);
});

test("parseNpmrc() finds the registry", () => {
  assert.is(parseNpmrc('fund=false\nregistry = "https://r.example/npm/"\n'), "https://r.example/npm/");
  assert.is(parseNpmrc("@scope:registry=https://s.example/\n"), undefined);
});

test("parseFetchSettings() takes lists and single addresses", () => {
  const mirrors = { gnu: ["https://g.example/"], debian: ["http://a.example/debian"] };
  const expected = { mirrors, hashedMirrors: [] };
  assert.equal(
    parseFetchSettings(`{"mirrors":{"gnu":"https://g.example/","debian":["http://a.example/debian"]},"other":1}`, "f"),
    expected,
  );
  assert.equal(
    parseFetchSettings(`{"gnu":["https://g.example/"],"debian":["http://a.example/debian"]}`, "v", { bare: true }),
    expected,
  );
  assert.equal(parseFetchSettings("{}", "f"), { mirrors: {}, hashedMirrors: [] });
  const { hashedMirrors } = parseFetchSettings(`{"hashedMirrors":"https://h.example"}`, "f");
  assert.equal(hashedMirrors, ["https://h.example"]);
  assert.is(parseFetchSettings(`{"maxDownload":"4G"}`, "f").maxDownloadBytes, 4 * 1024 ** 3);
});

test("parseFetchSettings() refuses what is no settings object", () => {
  for (const text of [
    "nonsense",
    "[]",
    `{"mirrors":3}`,
    `{"mirrors":{"a":["ftp://x"]}}`,
    `{"mirrors":{"a":7}}`,
    `{"hashedMirrors":["h"]}`,
    `{"maxDownload":"much"}`,
  ]) {
    assert.throws(
      () => parseFetchSettings(text, "f"),
      (error: { code?: string }) => error.code === "fetch.settings-malformed",
    );
  }
});

test("mergeFetchSettings() keeps the order and drops doubles", () => {
  const merged = mergeFetchSettings([
    { mirrors: { a: ["http://1", "http://2"] }, hashedMirrors: ["http://5"] },
    { mirrors: { a: ["http://2", "http://3"], b: ["http://4"] }, hashedMirrors: ["http://6", "http://5"] },
  ]);
  assert.equal(merged, {
    mirrors: { a: ["http://1", "http://2", "http://3"], b: ["http://4"] },
    hashedMirrors: ["http://5", "http://6"],
  });
});

test.run();

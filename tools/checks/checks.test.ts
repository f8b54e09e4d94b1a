import { test } from "uvu";
import * as assert from "uvu/assert";
import { checkAddresses } from "./addresses.ts";
import { checkCodes, namedCodes } from "./codes.ts";
import { checkHints, checkPage } from "./docs.ts";
import { checkFile } from "./imports.ts";
import { checkLock, checkManifest } from "./pins.ts";
import { checkPurity, isPure } from "./purity.ts";

const messages = (findings: readonly { message: string }[]) => findings.map(({ message }) => message);

test("imports: a floor may import the floors below through their front door", () => {
  assert.equal(checkFile("core/derivation/a.ts", 'import { x } from "../store/index.ts";'), []);
  assert.equal(checkFile("pkgs/by-name/he/hello/package.ts", 'import { x } from "#floe/package";'), []);
  assert.equal(checkFile("tools/cli/a.ts", 'const x = await import("../../core/host/files/index.ts");'), []);
});

test("imports: a neighbour, a floor above and a side door are found, with their line", () => {
  const [neighbour] = checkFile("core/store/a.ts", '// first\nimport { x } from "../module/index.ts";');
  assert.is(neighbour?.line, 2);
  assert.match(neighbour?.message ?? "", '"core/store" (floor 1) imports "core/module/index.ts" (floor 1)');
  assert.is(checkFile("core/base/a.ts", 'export * from "../store/index.ts";').length, 1);
  assert.match(
    checkFile("core/store/a.ts", 'import type { X } from "../base/hash.ts";')[0]?.message ?? "",
    "front door",
  );
});

test("imports: only tools, the driver and tests open the wing", () => {
  const line = 'import { x } from "../host/files/index.ts";';
  assert.is(checkFile("core/store/a.ts", line).length, 1);
  assert.is(checkFile("core/store/a.test.ts", line).length, 0);
  assert.is(checkFile("core/host/evaluator/a.ts", 'import { x } from "../files/tree.ts";').length, 0);
});

test("purity: Node's modules are found where the evaluation runs", () => {
  assert.equal(messages(checkPurity("core/store/a.ts", 'import { readFileSync } from "node:fs";')), [
    '"node:fs" is imported where the evaluation runs',
  ]);
  assert.is(checkPurity("core/base/hash.ts", 'import { createHash } from "node:crypto";').length, 0);
  assert.is(checkPurity("modules/a.ts", "export const x = await load();").length, 1);
});

test("purity: it concerns what is loaded inside the evaluation, and nothing else", () => {
  assert.ok(isPure("modules/services/nginx.ts"));
  assert.ok(isPure("vm-tests/rollback.ts"));
  assert.not(isPure("vm-tests/driver/machine.ts"));
  assert.not(isPure("core/host/files/index.ts"));
  assert.not(isPure("core/store/nar.test.ts"));
});

test("addresses: a registry's host and the path of the checkout are found", () => {
  const found = checkAddresses(
    "a.ts",
    "x\nhttps://mirror.example/debian /home/me/floe/core",
    ["mirror.example"],
    "/home/me/floe",
  );
  assert.equal(
    found.map(({ line }) => line),
    [2, 2],
  );
  assert.is(
    checkAddresses("a.ts", "mirror://debian/pool /home/me/floe-2", ["mirror.example"], "/home/me/floe").length,
    0,
  );
});

test("pins: a range is found, and an address in the lock", () => {
  const manifest = '{ "dependencies": { "a": "1.2.3", "b": "^1.0.0" } }';
  assert.equal(messages(checkManifest("package.json", manifest)), ['"b" has the version "^1.0.0", which is not exact']);
  const optional = '{ "packages": { "node_modules/a": { "optionalDependencies": { "@a/linux-arm64": "1.0.0" } } } }';
  assert.is(checkLock(optional).length, 1);
  assert.is(checkLock('{ "resolved": "https://host/a.tgz" }').length, 1);
  assert.is(checkLock('{ "resolved": "tools/cli" }').length, 0);
});

test("codes: those that no test names are found, with their line", () => {
  const text = 'one;\nthrow new CodedError(\n  "nar.malformed", `x`);\nnew CodedError("nar.size", "y");';
  const found = checkCodes("a.ts", text, new Set(["nar.size"]));
  assert.equal(messages(found), ['no test names the error "nar.malformed"']);
  assert.is(found[0]?.line, 2);
});

test("codes: a test names a code as a text, in brackets or in a regular expression, and not in a comment", () => {
  const names = (text: string): string[] => [...namedCodes(text)];
  assert.equal(names('assert.is(error.code, "nar.size"); // and "nar.other"'), ["nar.size"]);
  assert.equal(names('assert.match(stderr, "no room [nar.size]");'), ["nar.size"]);
  assert.equal(names("assert.match(stderr, /^error: .* \\[nar\\.no-such-path\\]$/);"), ["nar.no-such-path"]);
  assert.equal(names('// nar.size\n  // "nar.size"\n * `nar.size`\nassert.is(nar.size, 3);'), []);
});

test("docs: links, commands, flags and scripts must exist", () => {
  const page = [
    "[there](./package.json)",
    "[gone](./gone.md)",
    "floe hash file --type sha1 x",
    "floe hsh x",
    "npm run nothing",
  ];
  assert.equal(messages(checkPage("page.md", page.join("\n"))), [
    'the page links to "./gone.md", which does not exist',
    '"floe hsh x" is shown, but there is no command "hsh"',
    'the page names the script "nothing", which package.json does not have',
  ]);
  assert.equal(messages(checkPage("page.md", "floe hash file --nope x")), [
    '"floe hash file --nope x" is shown, but there is no flag "--nope"',
  ]);
});

test("docs: commands that messages name must exist", () => {
  assert.equal(checkHints("a.ts", 'hint: "Run `floe hash path` first"; hint: `See \\`floe log ${path}\\``;'), []);
  assert.is(checkHints("a.ts", 'hint: "Free some with `floe hash gc`"').length, 1);
  assert.is(checkHints("a.ts", 'hint: "Run: floe hsh"').length, 1);
});

test.run();

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import { generateSecretKey } from "./ed25519.ts";
import { writeSecretKey } from "./key-files.ts";
import { readSigningKeys } from "./signing-settings.ts";

const folder = mkdtempSync(join(tmpdir(), "floe-signing-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));
const [own, machine] = [join(folder, "own.key"), join(folder, "machine.key")];
writeSecretKey(own, generateSecretKey("own-1"));
writeSecretKey(machine, generateSecretKey("machine-1"));
const places = { environment: {}, home: join(folder, "home"), root: join(folder, "root") };

function settings(user: unknown, ofMachine: unknown): void {
  for (const [directory, value] of [
    [join(places.home, ".config/floe"), user],
    [join(places.root, "etc/floe"), ofMachine],
  ] as const) {
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "settings.json"), typeof value === "string" ? value : JSON.stringify(value));
  }
}
const names = (): string[] => readSigningKeys(places).map(({ name }) => name);
const code = (expected: string) => (error: CodedError) => error.code === expected;

test("readSigningKeys() reads the keys that the settings of the user and of the machine name", () => {
  assert.equal(names(), []);
  settings({ secretKeyFiles: [own] }, { secretKeyFiles: [machine, own] });
  assert.equal(names(), ["own-1", "machine-1"]);
  settings({}, { secretKeyFiles: [machine] });
  assert.equal(names(), ["machine-1"]);
});

test("readSigningKeys() passes over a key of the machine that is not ours to read", () => {
  if (process.geteuid?.() === 0) return console.log("skipped: root may read every key");
  settings({}, { secretKeyFiles: [machine] });
  chmodSync(machine, 0);
  assert.equal(names(), []);
  chmodSync(machine, 0o600);
});

test("readSigningKeys() says what is wrong", () => {
  settings({ secretKeyFiles: [`${own}-gone`] }, {});
  assert.throws(names, code("key.unreadable"));
  for (const odd of ["{", { secretKeyFiles: "x" }, { secretKeyFiles: ["relative"] }]) {
    settings(odd, {});
    assert.throws(names, code("key.settings-malformed"));
  }
});

test.run();

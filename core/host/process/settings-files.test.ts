import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readSettingsFiles } from "./settings-files.ts";

const root = mkdtempSync(join(tmpdir(), "floe-settings-"));
test.after(() => rmSync(root, { recursive: true }));

function write(folder: string, text: string): string {
  mkdirSync(`${folder}/floe`, { recursive: true });
  writeFileSync(`${folder}/floe/settings.json`, text);
  return `${folder}/floe/settings.json`;
}

test("readSettingsFiles() reads the user's before the machine's, and passes over what is not there", () => {
  const read = (environment: Record<string, string>) => readSettingsFiles({ environment, home: `${root}/home`, root });
  assert.equal(read({}), []);
  const machine = { file: write(`${root}/etc`, "1"), text: "1", by: "machine" };
  assert.equal(read({}), [machine]);
  const user = { file: write(`${root}/home/.config`, "2"), text: "2", by: "user" };
  assert.equal(read({}), [user, machine]);
  // An empty variable is none, as the base directory specification has it.
  assert.equal(read({ XDG_CONFIG_HOME: "" }), [user, machine]);
  assert.equal(read({ XDG_CONFIG_HOME: `${root}/elsewhere` }), [machine]);
});

test.run();

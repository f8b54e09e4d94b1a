import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { temporaryFolder } from "../git/testing.ts";
import { openAccess } from "./access.ts";

/** What is told of somebody's settings, with these rights, when two questions are asked. */
function toldOf(settings: object, mode: number): { file: string; told: string[] } {
  const home = temporaryFolder();
  const file = `${home}/.config/floe/settings.json`;
  mkdirSync(`${home}/.config/floe`, { recursive: true });
  writeFileSync(file, JSON.stringify(settings));
  chmodSync(file, mode);
  const told: string[] = [];
  for (let i = 0; i < 2; i++) {
    const access = openAccess({ environment: {}, home, root: home }, (text) => told.push(text));
    access.known(new URL("https://git.example.org/a"));
  }
  return { file, told };
}

const TOKENS = { accessTokens: { "git.example.org": "secret-1" } };

test("openAccess() tells once of settings with tokens that others may read, without the tokens", () => {
  for (const mode of [0o644, 0o640, 0o604]) {
    const { file, told } = toldOf(TOKENS, mode);
    assert.is(told.length, 1);
    assert.match(told[0] ?? "", `chmod 600 ${file}`);
    assert.not.match(told[0] ?? "", "secret-1");
  }
});

test("openAccess() tells nothing of settings that are closed, or have no tokens", () => {
  assert.equal(toldOf(TOKENS, 0o600).told, []);
  assert.equal(toldOf({ accessTokens: {} }, 0o644).told, []);
  assert.equal(toldOf({ substituters: [] }, 0o644).told, []);
});

test.run();

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readBuildSettings } from "./settings.ts";

test("readBuildSettings() takes what a user says over what the machine says", () => {
  const root = mkdtempSync(`${tmpdir()}/floe-settings-`);
  const places = { environment: {}, home: `${root}/home`, root };
  mkdirSync(`${root}/home/.config/floe`, { recursive: true });
  mkdirSync(`${root}/etc/floe`, { recursive: true });
  assert.is(readBuildSettings(places).postBuildHook, undefined);
  writeFileSync(`${root}/etc/floe/settings.json`, `{"postBuildHook":"/machine","sandbox":"relaxed"}`);
  writeFileSync(`${root}/home/.config/floe/settings.json`, `{"postBuildHook":"/own"}`);
  const { postBuildHook, sandbox } = readBuildSettings(places);
  assert.equal([postBuildHook, sandbox], ["/own", "relaxed"]);
  rmSync(root, { recursive: true });
});

test.run();

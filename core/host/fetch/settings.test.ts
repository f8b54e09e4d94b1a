import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readDownloadLimit, readFetchSettings } from "./settings.ts";

const root = mkdtempSync(`${tmpdir()}/floe-settings-`);
mkdirSync(`${root}/etc/apt/sources.list.d`, { recursive: true });
mkdirSync(`${root}/etc/floe`);
mkdirSync(`${root}/home/.config/floe`, { recursive: true });
const places = (environment: Record<string, string> = {}) => ({ environment, home: `${root}/home`, root });

test("readFetchSettings() takes apt's mirrors first, then the variable, then the files", () => {
  writeFileSync(`${root}/etc/apt/sources.list`, "deb http://one.example/debian bookworm main\n");
  writeFileSync(
    `${root}/etc/apt/sources.list.d/debian.sources`,
    "Types: deb\nURIs: http://two.example/debian\nSuites: bookworm\n",
  );
  writeFileSync(`${root}/etc/apt/sources.list.d/off.disabled`, "deb http://off.example/debian x main\n");
  writeFileSync(
    `${root}/home/.config/floe/settings.json`,
    `{"mirrors":{"debian":["http://four.example/debian"],"gnu":["http://gnu.example"]}}`,
  );
  writeFileSync(`${root}/etc/floe/settings.json`, `{"mirrors":{"debian":["http://five.example/debian"]}}`);
  const { mirrors } = readFetchSettings(places({ FLOE_MIRRORS: `{"debian":"http://three.example/debian"}` }));
  assert.equal(
    mirrors["debian"]?.map((url) => /\/\/(\w+)\./.exec(url)?.[1]),
    ["one", "two", "three", "four", "five"],
  );
  assert.equal(mirrors["gnu"], ["http://gnu.example"]);
  assert.is(mirrors["npm"], undefined);
});

test("readFetchSettings() finds the package registry in the environment and in .npmrc", () => {
  writeFileSync(`${root}/home/.npmrc`, "registry=https://file.example/\n");
  assert.equal(readFetchSettings(places()).mirrors["npm"], ["https://file.example/"]);
  assert.equal(readFetchSettings(places({ npm_config_registry: "https://variable.example/" })).mirrors["npm"], [
    "https://variable.example/",
  ]);
});

test("readDownloadLimit() takes the user's word before the machine's, and has a limit without any", () => {
  const say = (file: string, words: object): void => writeFileSync(file, JSON.stringify(words));
  say(`${root}/etc/floe/settings.json`, {});
  say(`${root}/home/.config/floe/settings.json`, {});
  assert.is(readDownloadLimit(places()), 32 * 1024 ** 3);
  say(`${root}/etc/floe/settings.json`, { maxDownload: "2G" });
  assert.is(readDownloadLimit(places()), 2 * 1024 ** 3);
  say(`${root}/home/.config/floe/settings.json`, { maxDownload: 1000 });
  assert.is(readDownloadLimit(places()), 1000);
});

test("readFetchSettings() names the file that is malformed", () => {
  writeFileSync(`${root}/etc/floe/settings.json`, "oops");
  assert.throws(
    () => readFetchSettings(places()),
    (error: { code?: string; message: string }) =>
      error.code === "fetch.settings-malformed" && error.message.includes("/etc/floe/settings.json"),
  );
  rmSync(root, { recursive: true });
});

test.run();

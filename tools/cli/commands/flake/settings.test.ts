import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findProgram } from "../../../../core/host/process/find-program.ts";
import { configText, type InputsWorld, openInputsWorld } from "../../testing-inputs.ts";
import { floeCommand, temporaryDirectory } from "../../testing.ts";

const test = suite("settings that a flake carries");
let world: InputsWorld;
test.before(async () => {
  world = await openInputsWorld();
});
test.after(() => world.close());

/** A flake whose only input is in a cache and nowhere else. */
async function flakeWithCache(): Promise<{ folder: string; hash: string }> {
  const { repository, url } = world.repository("gone");
  repository.write({ text: "kept" }).commit();
  const folder = temporaryDirectory();
  const cache = `file://${folder}/cache`;
  const text = configText(`{ a: { url: "${url}", flake: false } }`, "{ hash: inputs.a.sourceInfo.narHash }");
  writeFileSync(
    `${folder}/flake.config.ts`,
    text.replace("  inputs:", `  settings: { substituters: ["${cache}"] },\n  inputs:`),
  );
  const hash = await world.ok(folder, "eval", "--raw", ".#hash");
  await world.ok(folder, "flake", "archive", "--to", cache);
  rmSync(repository.folder, { recursive: true });
  rmSync(`${world.root}/cache`, { recursive: true, force: true });
  return { folder, hash };
}

test("the stores of a flake are asked once they are accepted, before its inputs are fetched", async () => {
  const { folder, hash } = await flakeWithCache();
  const ask = (...words: string[]) =>
    world.floe(folder, "eval", "--raw", ".#hash", "--store", temporaryDirectory(), ...words);
  const without = await ask();
  assert.is(without.code, 1, without.stdout);
  assert.match(without.stderr, "warning: the flake's substituters is not used");
  const never = await ask("--no-accept-flake-config");
  assert.is(never.code, 1);
  assert.not.match(never.stderr, "warning");
  const accepted = await ask("--accept-flake-config");
  assert.equal([accepted.code, accepted.stdout], [0, hash], accepted.stderr);
  mkdirSync(`${world.root}/config/floe`, { recursive: true });
  writeFileSync(`${world.root}/config/floe/settings.json`, '{ "acceptFlakeConfig": true }');
  const always = await ask();
  rmSync(`${world.root}/config/floe/settings.json`);
  assert.equal([always.code, always.stdout], [0, hash], always.stderr);
});

const SCRIPT = findProgram("script");
(SCRIPT === undefined ? test.skip : test)(
  "on a terminal the user is asked, and an answer for good is kept",
  async () => {
    const { folder, hash } = await flakeWithCache();
    const home = temporaryDirectory();
    const ask = (answer: string): Promise<string> => {
      const words = [process.execPath, ...floeCommand(), "eval", "--raw", ".#hash", "--store", temporaryDirectory()];
      const command = words.map((word) => `'${word}'`).join(" ");
      const child = spawn(SCRIPT as string, ["--quiet", "--return", "--command", command, "/dev/null"], {
        cwd: folder,
        env: {
          ...process.env,
          HOME: home,
          XDG_CACHE_HOME: `${home}/cache`,
          XDG_CONFIG_HOME: `${home}/config`,
          XDG_DATA_HOME: undefined,
          TERM: "xterm",
          NO_COLOR: "1",
          SHELL: "/bin/sh",
        },
      });
      let shown = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        shown += text;
        // Keys that come before the question would be lost.
        if (text.includes("ne[v]er")) child.stdin.write(answer);
      });
      return new Promise((resolve) => child.on("close", () => resolve(shown)));
    };
    const refused = await ask("n\r");
    assert.match(refused, "can put any program on this machine");
    assert.not.match(refused, hash);
    assert.match(await ask("a\r"), hash);
    const kept = JSON.parse(readFileSync(`${home}/.local/share/floe/trusted-settings.json`, "utf8"));
    assert.equal(kept.settings.substituters, { [JSON.stringify([`file://${folder}/cache`])]: true });
    const again = await ask("");
    assert.match(again, hash);
    assert.not.match(again, "ne[v]er");
  },
);

test("the first line of a commit of the lock needs no consent", async () => {
  const { repository, url } = world.repository("moved");
  repository.write({ a: "1" }).commit();
  const folder = temporaryDirectory();
  const text = configText(`{ a: "${url}" }`, "{}");
  writeFileSync(
    `${folder}/flake.config.ts`,
    text.replace("  inputs:", '  settings: { commitLockFileSummary: "lock: Move" },\n  inputs:'),
  );
  const git = (...words: string[]): string =>
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@example.org", ...words], {
      cwd: folder,
      encoding: "utf8",
    });
  git("init", "--quiet");
  git("config", "user.name", "a");
  git("config", "user.email", "a@example.org");
  git("add", ".");
  git("commit", "--quiet", "--message", "first");
  await world.ok(folder, "flake", "lock", "--commit-lock-file");
  assert.is(git("log", "-1", "--format=%s").trim(), "lock: Move");
});

test("what a flake wants besides, or in another form, is a fault of the flake", async () => {
  for (const [settings, found] of [
    ["{ substituter: [] }", /found "settings\.substituter".*/],
    ['{ substituters: "https://a.example" }', /"settings\.substituters" is something else, expected a list of texts/],
    ['{ commitLockFileSummary: "a\\nb" }', /expected a text of one line/],
    ['{ postBuildHook: "/bin/sh" }', /found "settings\.postBuildHook"/],
    ["[]", /"settings" is a list, expected an object/],
  ] as const) {
    const folder = temporaryDirectory();
    writeFileSync(
      `${folder}/flake.config.ts`,
      configText("{}", "{ a: 1 }").replace("  inputs:", `  settings: ${settings} as never,\n  inputs:`),
    );
    const { code, stderr } = await world.run(folder, "eval", ".#a");
    assert.is(code, 1);
    assert.match(stderr, found);
    assert.match(stderr, "[flake.malformed]");
  }
});

test("settings of inputs do not count", async () => {
  const { repository, url } = world.repository("greedy");
  const text = configText("{}", "{ a: 1 }").replace(
    "  inputs:",
    '  settings: { substituters: ["https://evil.example"] },\n  inputs:',
  );
  repository.write({ "flake.config.ts": text }).commit();
  const folder = temporaryDirectory();
  writeFileSync(`${folder}/flake.config.ts`, configText(`{ a: "${url}" }`, "{ a: inputs.a.a }"));
  const { code, stderr } = await world.run(folder, "eval", ".#a");
  assert.is(code, 0, stderr);
  assert.not.match(stderr, "warning");
});

test.run();

import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { isBundleCurrent } from "../../../../core/host/evaluator/index.ts";
import { findProgram } from "../../../../core/host/process/index.ts";
import { type CliResult, runFloe, temporaryDirectory } from "../../testing.ts";

const test = suite("a process that stands ready for the next command");
const folder = temporaryDirectory();
const home = temporaryDirectory();
const env = { XDG_CACHE_HOME: `${home}/cache`, XDG_CONFIG_HOME: `${home}/config` };
const spares = `${home}/cache/floe/spares`;
const evaluate = (): Promise<CliResult> => runFloe(["eval", ".#a", "--store", `${home}/store`], { cwd: folder, env });
const write = (value: number): void =>
  writeFileSync(`${folder}/flake.config.ts`, `export default { outputs: () => ({ a: ${value} }) };\n`);
const setStay = (stays: number): void => {
  mkdirSync(`${home}/config/floe`, { recursive: true });
  writeFileSync(`${home}/config/floe/settings.json`, JSON.stringify({ evaluatorStays: stays }));
};

const canBe = findProgram("bwrap") !== undefined && isBundleCurrent();
if (!canBe) console.log("skipped: bubblewrap is not installed, or the bundle is older than its sources");

(canBe ? test : test.skip)(
  "floe eval leaves one where settings say so, and nobody who reads what it prints waits for it",
  async () => {
    setStay(0);
    write(1);
    await evaluate();
    assert.not(existsSync(spares));
    setStay(600);
    write(2);
    // The end of its streams comes while the other process is there.
    assert.is((await evaluate()).stdout, "2\n");
    for (let i = 0; readdirSync(spares).length === 0; i++) {
      assert.ok(i < 600, "there is a process after a minute");
      await sleep(100);
    }
    // Until it can be had, others are asked.
    const [first] = readdirSync(spares);
    for (let value = 3; readdirSync(spares).includes(first as string); value++) {
      assert.ok(value < 60, "it is used");
      write(value);
      assert.is((await evaluate()).stdout, `${value}\n`);
    }
    rmSync(spares, { recursive: true });
  },
);

(canBe ? test : test.skip)(
  "floe eval leaves one for a program that asks again, and none in CI or after the first time",
  async () => {
    rmSync(`${home}/config/floe/settings.json`, { force: true });
    rmSync(`${home}/cache`, { recursive: true, force: true });
    // The folder is made before the command ends, the process in it later.
    const evaluateAs = async (ci: string, value: number): Promise<boolean> => {
      write(value);
      const words = ["eval", ".#a", "--store", `${home}/store`];
      assert.is((await runFloe(words, { cwd: folder, env: { ...env, CI: ci } })).stdout, `${value}\n`);
      return existsSync(spares);
    };
    assert.is(await evaluateAs("", 100), false);
    assert.is(await evaluateAs("true", 101), false);
    assert.is(await evaluateAs("", 102), true);
    for (let i = 0; readdirSync(spares).length === 0; i++) {
      assert.ok(i < 600, "there is a process after a minute");
      await sleep(100);
    }
    rmSync(spares, { recursive: true });
  },
);

test.run();

import { spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HAS_QEMU } from "../../../../vm-tests/qemu-wrapper/testing.ts";
import { floeCommand, temporaryDirectory } from "../../testing.ts";
import { writeStories } from "./testing-stories.ts";

const withQemu = HAS_QEMU ? test : test.skip;
const directory = temporaryDirectory();
const flake = join(directory, "flake");
writeStories(flake, {
  steps: `await step("first", () => note("the first is done"));
    await step("second", async () => {
      await step("inner", () => {});
      await breakpoint("look here");
    });
    await step("third", () => assert.equal(3, wanted));`,
  plain: `await breakpoint();`,
});

/** Sits at a shell: types a line when what was typed before has been answered. */
class Sitter {
  readonly ended: Promise<number | null>;
  readonly #child;
  #said = "";

  constructor(...words: string[]) {
    const base = ["vm-test", "shell", "--accel", "tcg", "--store", join(directory, "store")];
    this.#child = spawn(process.execPath, [...floeCommand(), ...base, ...words], {
      cwd: flake,
      env: {
        ...process.env,
        XDG_CACHE_HOME: join(directory, "cache"),
        XDG_STATE_HOME: join(directory, "state"),
        NO_COLOR: "1",
        GITHUB_ACTIONS: undefined,
      },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const kill = (): void => void this.#child.kill("SIGKILL");
    test.after(kill);
    this.ended = new Promise((resolve) => this.#child.on("close", resolve));
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.#said += text;
      });
  }

  async sees(text: string | RegExp): Promise<string> {
    for (let waited = 0; this.#said.search(text) < 0; waited += 20) {
      assert.ok(waited < 60_000, `expected ${text}, found:\n${this.#said}`);
      await sleep(20);
    }
    const said = this.#said;
    this.#said = "";
    return said;
  }

  type(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  end(): void {
    this.#child.stdin.end();
  }
}

withQemu(
  "shell has machines in scope, and goes through a story with stops, up to a failure that it stays with",
  async () => {
    const sitter = new Sitter("steps");
    await sitter.sees("in scope: machine, .*; machines: machine");
    sitter.type("1 + (await Promise.resolve(41))");
    await sitter.sees(/^(?:> )*42$/m);
    sitter.type("machine.name + ' ' + typeof assert.equal");
    await sitter.sees("machine function");
    sitter.type(".next");
    await sitter.sees('the story stands before "first"');
    sitter.type(".next");
    assert.match(await sitter.sees('the story stands before "second"'), "the first is done");
    sitter.type(".continue");
    await sitter.sees('the story stands before "look here"');
    sitter.type(".stops th*");
    await sitter.sees("not met yet: th\\*");
    sitter.type(".continue");
    await sitter.sees('the story stands before "third"');
    sitter.type(".continue");
    assert.match(await sitter.sees("the story has failed; its machines stay"), "steps.ts:13");
    sitter.type(".story");
    await sitter.sees("the story is over");
    sitter.type("2 ** 20");
    await sitter.sees("1048576");
    sitter.type(".exit");
    assert.is(await sitter.ended, 1);
  },
);

withQemu(
  "shell --break-at begins the story; a shell that is left ends well, and leads to running machines alone",
  async () => {
    const sitter = new Sitter("steps", "--break-at", "sec*");
    await sitter.sees('the story stands before "second"');
    for (const [line, code] of [
      [".pause", "machine.off"],
      [".terminal", "machine.off"],
      [".console nobody", "vm-test.no-machine"],
      [".forward machine many", "vm-test.bad-port"],
    ] as const) {
      sitter.type(line);
      await sitter.sees(`\\[${code}\\]`);
    }
    sitter.type("await machine.succeed`true`");
    await sitter.sees("machine.off");
    sitter.end();
    assert.is(await sitter.ended, 0);
  },
);

withQemu("shell leads to the console of a machine that does not answer, and back", async () => {
  const sitter = new Sitter("plain");
  await sitter.sees("in scope");
  sitter.type("void machine.start()");
  await sitter.sees("machine boots the default generation");
  await sleep(1500);
  sitter.type(".console");
  await sitter.sees("a kernel that runs for ever");
  sitter.type("typed to the machine, and not to the prompt: 6 * 111\n\x1d");
  sitter.type("6 * 111");
  assert.not.match(await sitter.sees("666"), /typed/);
  sitter.type(".exit");
  assert.is(await sitter.ended, 0);
});

test.run();

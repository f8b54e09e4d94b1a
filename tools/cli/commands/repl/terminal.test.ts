/** `floe repl` on a terminal: keys, completion, what stands on the screen. The terminal is that of `script`, of util-linux. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findProgram } from "../../../../core/host/process/find-program.ts";
import { ROOT } from "../../../checks/source-tree.ts";
import { floeCommand, temporaryDirectory } from "../../testing.ts";
import { writeFlake } from "../../testing-flake.ts";

const SCRIPT = findProgram("script");
const onTerminal = SCRIPT === undefined ? test.skip : test;
if (SCRIPT === undefined) console.log("skipped what needs a terminal: there is no program `script`");

/** No key waits longer for what it does: an evaluation of a busy machine. */
const PATIENCE_MS = 60_000;
const PROMPT = "floe> ";
const CTRL_C = "\x03";
const CTRL_D = "\x04";

/** A repl on a terminal of 30 rows and 200 columns. */
class Conversation {
  readonly #child: ChildProcess;
  readonly #end: Promise<number | null>;
  #shown = "";
  #seen = 0;
  #wake = (): void => {};

  constructor(cwd: string, home: string) {
    const words = [process.execPath, ...floeCommand(), "repl", "--store", join(home, "store")];
    const command = `stty rows 30 columns 200; exec ${words.map((word) => `'${word}'`).join(" ")}`;
    this.#child = spawn(SCRIPT as string, ["--quiet", "--return", "--command", command, "/dev/null"], {
      cwd,
      env: {
        ...process.env,
        HOME: home,
        XDG_CONFIG_HOME: undefined,
        XDG_STATE_HOME: undefined,
        XDG_CACHE_HOME: undefined,
        TERM: "xterm",
        NO_COLOR: "1",
        SHELL: "/bin/sh",
        VISUAL: undefined,
        EDITOR: "stty -a | grep -o -w -e -icanon -e icanon; echo opened",
      },
    });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#shown += text;
      this.#wake();
    });
    this.#end = new Promise((resolve) => this.#child.on("close", resolve));
  }

  /** Press keys. */
  press(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  /** Wait until the screen shows it, after what was waited for before. */
  async see(pattern: RegExp | string): Promise<string> {
    const expected = typeof pattern === "string" ? new RegExp(pattern.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")) : pattern;
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = expected.exec(this.#plain().slice(this.#seen));
      if (found !== null) {
        this.#seen += found.index + found[0].length;
        return found[0];
      }
      const left = deadline - Date.now();
      if (left <= 0) assert.unreachable(`the terminal does not show ${expected}: ${JSON.stringify(this.#rest())}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(left, 1000));
        this.#wake = () => (clearTimeout(timer), resolve());
      });
    }
  }

  /** Type a line, and wait for what it gives and the prompt after it. */
  async say(line: string, expected: RegExp | string): Promise<void> {
    this.press(`${line}\r`);
    await this.see(expected);
    await this.see(PROMPT);
  }

  /** @returns its exit code. */
  end(): Promise<number | null> {
    return this.#end;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** What was written, without what moves the cursor or colours. */
  #plain(): string {
    return this.#shown.replace(/\x1b\[[0-9;?]*[A-Za-z]|\r/g, "");
  }

  #rest(): string {
    return this.#plain().slice(this.#seen);
  }
}

async function converse(cwd: string, home: string, body: (repl: Conversation) => Promise<void>): Promise<void> {
  const repl = new Conversation(cwd, home);
  try {
    await repl.see("Questions to the flake");
    await repl.see(PROMPT);
    await body(repl);
    assert.is(await repl.end(), 0);
  } finally {
    repl.kill();
  }
}

onTerminal("repl builds on a terminal, completes names, reads several lines, and keeps its history", async () => {
  const folder = temporaryDirectory();
  const home = temporaryDirectory();
  writeFlake(
    folder,
    'hello: shell("hello", "echo hello > $out"), slow: shell("slow", "echo has begun; read forever < /dev/zero"),',
  );
  await converse(folder, home, async (repl) => {
    await repl.say(":b pkgs.hello", /^\/nix\/store\/\S+-hello$/m);
    repl.press("pkgs.he\t");
    await repl.see("pkgs.hello");
    repl.press("\r");
    await repl.see(/<derivation \S+-hello\.drv>/);
    await repl.see(PROMPT);
    repl.press("[1,\r");
    await repl.see("... ");
    repl.press("2].length\r");
    await repl.see(/^2$/m);
    await repl.see(PROMPT);
    // What is half written is given up, the repl is not.
    repl.press("[1,\r");
    await repl.see("... ");
    repl.press(CTRL_C);
    await repl.see(PROMPT);
    repl.press(CTRL_C);
    await repl.see("(:q ends)");
    await repl.say("40 + 2", /^42$/m);
    repl.press("\x1b[A");
    await repl.see("40 + 2");
    repl.press(CTRL_C);
    await repl.see("(:q ends)");
    await repl.see(PROMPT);
    await repl.say("40 + 3", /^43$/m);
    // An evaluation that does not end, and a build.
    repl.press('(() => { console.log("loop" + "ing"); for (;;) {} })()\r');
    await repl.see("looping");
    repl.press(CTRL_C);
    await repl.see("interrupted");
    await repl.see(PROMPT);
    repl.press(":b pkgs.slow\r");
    await repl.see("has begun");
    repl.press(CTRL_C);
    await repl.see("interrupted");
    await repl.see(PROMPT);
    await repl.say("1 + 1", /^2$/m);
    repl.press(CTRL_D);
  });
  const history = readFileSync(join(home, ".local/state/floe/repl-history"), "utf8").split("\n");
  assert.is(history[0], "1 + 1");
  assert.ok(history.includes(":b pkgs.hello"));
});

onTerminal(
  "repl on the configuration of a machine: values, types, places, completion, and reading it again",
  async () => {
    await converse(ROOT, temporaryDirectory(), async (repl) => {
      await repl.say("systems.web.config.services.nginx.enable", /^true$/m);
      repl.press("systems.web.config.services.ngi\t");
      await repl.see("services.nginx");
      repl.press(".enab\t");
      await repl.see(".enable");
      repl.press("\r");
      await repl.see(/^true$/m);
      await repl.see(PROMPT);
      await repl.say(":t systems.web.config.services.nginx.enable", /^boolean$/m);
      await repl.say(":e systems.web.config.services.nginx.enable", /^icanon\nopened \+\d+ \S+\/flake\.config\.ts$/m);
      await repl.say(":r", "again");
      await repl.say("systems.web.name", /^"?web"?$/m);
      repl.press(CTRL_D);
    });
  },
);

test.run();

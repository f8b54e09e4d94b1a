import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run lines of a program that has `out`, an output on stdout. */
function run(lines: string, { delayMs = 0, stdout = "pipe" as "pipe" | number, leave = false } = {}): Promise<Ended> {
  const from = JSON.stringify(join(import.meta.dirname, "output.ts"));
  const code = `import net from "node:net"; import { Output } from ${from}; const out = new Output("stdout");\n${lines}`;
  // Descriptor 3 is stdout under another name.
  const words = ["-c", 'exec 3>&1; exec "$@"', "sh", process.execPath, "--input-type=module", "-e", code];
  const child = spawn("sh", words, { stdio: ["ignore", stdout, "pipe"] });
  const texts = { stdout: "", stderr: "" };
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (texts.stderr += text));
  void pause(delayMs).then(() => {
    if (leave) child.stdout?.destroy();
    else child.stdout?.setEncoding("utf8").on("data", (text: string) => (texts.stdout += text));
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, ...texts }));
  });
}

test("Output.line() and write() keep the order of the calls", async () => {
  const lines = `out.line("1"); out.write("2\\n"); out.line("3"); out.write("4\\n", () => out.line("5"));`;
  assert.equal(await run(lines), { code: 0, stdout: "1\n2\n3\n4\n5\n", stderr: "" });
});

test("Output.line() writes all of a long text to a reader that takes its time", async () => {
  const { code, stdout } = await run(`out.line("x".repeat(1_000_000)); out.line("end");`, { delayMs: 300 });
  assert.is(code, 0);
  assert.is(stdout, `${"x".repeat(1_000_000)}\nend\n`);
});

test("Output.line() writes all to a pipe that somebody made one that never waits", async () => {
  // Making a socket of it does so.
  const lines = `new net.Socket({ fd: 3 }).unref(); out.line("x".repeat(1_000_000)); out.line("end");`;
  const { code, stdout } = await run(lines, { delayMs: 300 });
  assert.is(code, 0);
  assert.is(stdout, `${"x".repeat(1_000_000)}\nend\n`);
});

test("Output.line() and write() end the program in silence when the reader leaves", async () => {
  for (const call of ["out.line", "out.write"]) {
    const lines = `setInterval(() => ${call}("x".repeat(100_000)), 1);`;
    assert.equal(await run(lines, { leave: true }), { code: 0, stdout: "", stderr: "" });
  }
});

test("Output.line() tells what the system says", async () => {
  const full = openSync("/dev/full", "w");
  try {
    const { stderr, code } = await run(`out.line("x");`, { stdout: full });
    assert.is(code, 1);
    assert.match(stderr, "ENOSPC");
  } finally {
    closeSync(full);
  }
});

test("Output.isTerminal tells a terminal from a pipe and from the null device", async () => {
  const nothing = openSync("/dev/null", "w");
  try {
    const lines = `process.stderr.write(String(out.isTerminal)); process.stderr.write(String(out.getColorDepth()));`;
    assert.is((await run(lines)).stderr, "false1");
    assert.is((await run(lines, { stdout: nothing })).stderr, "false1");
  } finally {
    closeSync(nothing);
  }
});

test.run();

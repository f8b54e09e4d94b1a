import { spawn } from "node:child_process";
import { closeSync, readdirSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { TerminalPool } from "./terminal.ts";

const test = suite("TerminalPool");
const pool = new TerminalPool();
const first = await pool.take();
if (first !== undefined) pool.giveBack(first);

async function output(command: string): Promise<Buffer> {
  const terminal = await pool.take();
  if (terminal === undefined) throw new Error("no terminal");
  const chunks: Buffer[] = [];
  const descriptor = terminal.begin((chunk) => chunks.push(chunk));
  const child = spawn("/bin/sh", ["-c", command], { stdio: ["ignore", descriptor, descriptor], detached: true });
  closeSync(descriptor);
  await new Promise((resolve) => child.once("exit", resolve));
  await terminal.end();
  pool.giveBack(terminal);
  return Buffer.concat(chunks);
}

/** Process ids of our own children of this name. */
function childrenNamed(name: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    const [, command, parent] = /^\d+ \((.*)\) \S (\d+)/.exec(statOf(pid)) ?? [];
    return command === name && parent === String(process.pid);
  });
}

function statOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    // No process, or one that has just ended.
    return "";
  }
}

if (first === undefined) {
  console.log("skipped: this machine gives no pseudo terminals");
} else {
  test("a program sees a terminal, and its bytes arrive unchanged", async () => {
    assert.is(String(await output("test -t 1 && test -t 2 && printf 'a\\nb\\r\\n\\t\\001'")), "a\nb\r\n\t\u0001");
  });

  test("much output arrives whole and in order, and the next program's is apart", async () => {
    const text = String(await output("seq 1 100000"));
    assert.is(text, Array.from({ length: 100_000 }, (_, i) => `${i + 1}\n`).join(""));
    assert.is(String(await output("echo next")), "next\n");
  });

  test("a program that stops its terminal holds nobody up", async () => {
    const stopped = await output("printf before; perl -MPOSIX -e 'tcflow(1, TCOOFF)'");
    assert.is(String(stopped), "before");
    assert.is(String(await output("echo next")), "next\n");
  });

  test("a terminal whose host was killed is an end of the output, no fault", async () => {
    const hosts = childrenNamed("script").join(" ");
    assert.is(String(await output(`printf before; sleep 0.1; kill -9 ${hosts}; sleep 0.1; echo lost`)), "before");
    assert.is(String(await output("echo next")), "next\n");
  });

  test("several terminals work at once", async () => {
    const texts = await Promise.all(["a", "b", "c"].map((name) => output(`for i in 1 2 3; do echo ${name}; done`)));
    assert.equal(texts.map(String), ["a\na\na\n", "b\nb\nb\n", "c\nc\nc\n"]);
  });
}

test.after(() => pool.close());
test.run();

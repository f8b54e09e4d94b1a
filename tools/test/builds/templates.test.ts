/** Each template of Floe's own builds right after `floe flake init`, and gives what it says. The toolchain is that of the store below. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openFoundation } from "./foundation.ts";

const test = suite("templates");
const { ok, place, folder, close } = openFoundation();
test.after(close);

/** A folder with a template, as it was written. */
async function begin(template: string): Promise<string> {
  const path = folder();
  await ok(path, "flake", "init", "-t", template);
  return path;
}

/** The text of a file in what a template builds. */
async function built(path: string, file = "", ...words: string[]): Promise<string> {
  const printed = await ok(path, ...(words.length === 0 ? ["build", "."] : words), "--no-link", "--json");
  const [output = printed] = /\/nix\/store\/[0-9a-z]{32}-(?![^"]*\.drv")[^"]*/.exec(printed) ?? [];
  return readFileSync(place(`${output}${file}`), "utf8");
}

test("floe flake init -t package begins a flake whose program is built and run", async () => {
  const path = await begin("package");
  await ok(path, "build", ".");
  assert.is(await ok(path, "run", "."), "Hello from a package\n");
});

test("floe flake init -t module begins a flake whose module gives the example its text", async () => {
  assert.is(await built(await begin("module")), "Welcome, this is example\n");
});

test("floe flake init -t system begins a flake whose machine is built as a whole", async () => {
  const boot = await built(await begin("system"), "/boot.json", "system", "build", ".");
  assert.type(JSON.parse(boot)["org.nixos.bootspec.v1"].kernel, "string");
});

test("floe flake init -t dev-shell begins a flake whose environment has its programs and variables", async () => {
  const path = await begin("dev-shell");
  assert.is(await ok(path, "develop", "-c", "hello"), "Hello, world!\n");
});

test("floe flake init -t program begins a flake whose builder in TypeScript runs with what it imports", async () => {
  const page = await built(await begin("program"), "/hello.html");
  assert.match(page, "<p>Hello from a program &amp; its file</p>");
  assert.match(page, /sha256 [0-9a-f]{64} /);
});

test.run();

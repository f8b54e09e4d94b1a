import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { execFileSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { flakeWith, type InputsWorld, openInputsWorld } from "../../testing-inputs.ts";
import { temporaryDirectory } from "../../testing.ts";

const test = suite("clones and inputs fetched beforehand");
let world: InputsWorld;

test.before(async () => {
  world = await openInputsWorld();
});
test.after(() => world.close());

test("floe flake clone clones by reference, by name, and the checkout that a folder lies in", async () => {
  const { repository, url } = world.repository("cloned");
  const rev = repository.write({ "sub/flake.config.ts": "export default {};" }).commit();
  const folder = temporaryDirectory();
  const made = JSON.parse(await world.ok(folder, "flake", "clone", url, "one", "--json"));
  assert.equal(made, { directory: `${folder}/one`, rev });
  await world.floe(folder, "registry", "add", "tools", url);
  await world.ok(folder, "flake", "clone", "tools", "two words");
  await world.ok(`${folder}/one`, "flake", "clone", "./sub", "../three");
  for (const name of ["one", "two words", "three"])
    assert.is(execFileSync("git", ["rev-parse", "HEAD"], { cwd: `${folder}/${name}`, encoding: "utf8" }).trim(), rev);
  const again = await world.run(folder, "flake", "clone", url, "one");
  assert.match(again.stderr, "[git.clone-in-the-way]");
});

test("floe flake clone wants a repository", async () => {
  const folder = temporaryDirectory();
  mkdirSync(`${folder}/plain`);
  for (const text of ["./plain", "./nothing", "tarball+http://127.0.0.1:1/a.tar.gz"])
    assert.match((await world.run(folder, "flake", "clone", text, "to")).stderr, "[flake.no-repository]", text);
});

test("floe flake prefetch-inputs fetches what is locked, all of it at once", async () => {
  const root = temporaryDirectory();
  const names = ["a", "b", "c"];
  for (const name of names) {
    mkdirSync(`${root}/${name}`);
    writeFileSync(`${root}/${name}/file`, name);
    execFileSync("tar", ["czf", `${root}/${name}.tar.gz`, "-C", root, name]);
  }
  let together = 1;
  const waiting: (() => void)[] = [];
  const server = createServer((request, response: ServerResponse) => {
    // Answers nobody before as many have asked as are to come at once.
    waiting.push(() => response.end(readFileSync(`${root}${request.url}`)));
    if (waiting.length >= together) for (const answer of waiting.splice(0)) answer();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const inputs = names.map((name) => `${name}: { url: "${url}/${name}.tar.gz", flake: false }`).join(", ");
    const folder = flakeWith(`{ ${inputs} }`, "{ texts: [`${inputs.a}`, `${inputs.b}`, `${inputs.c}`] }");
    await world.ok(folder, "flake", "lock");
    together = names.length;
    const store = temporaryDirectory();
    const { code, stdout, stderr } = await world.floe(folder, "flake", "prefetch-inputs", "--store", store);
    assert.is(code, 0, stderr);
    const paths = stdout.trim().split("\n");
    const files = paths.map((path) => readFileSync(`${store}${path}/file`, "utf8"));
    assert.equal(files.sort(), names);
    const away = await world.floe(folder, "eval", ".#texts", "--offline", "--store", store);
    assert.equal(JSON.parse(away.stdout).sort(), paths);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test.run();

import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findEngine } from "../evaluator/index.ts";
import { errorOf, makeFolder } from "../evaluator/testing.ts";
import { findCompiler } from "./compiler.ts";
import { LanguageServer, type TextPosition } from "./language-server.ts";
import { declareInput, declareEngine } from "./make-declarations.ts";
import { testInput } from "./testing.ts";
import { TYPES_FOLDER, wantsTypes } from "./types-folder.ts";
import { writeFlakeTypes } from "./write-flake-types.ts";

const cache = makeFolder({});

/** A flake that has Floe as its only input, and says `config` for a machine. */
function machine(config: string): string {
  return `import { defineFlake } from "#floe/flake";
import { makeSystem } from "#floe/system";

export default defineFlake({
  inputs: { floe: "git+https://git.example/floe" },
  outputs({ inputs: { floe } }) {
    console.log("evaluating");
    const web = makeSystem({
      name: "web",
      pkgs: floe.packages["x86_64-linux"],
      modules: floe.modules,
      config: {
${config}
      },
    });
    return { systems: { web } };
  },
});
`;
}

async function outsideFlake(config: string): Promise<string> {
  const folder = makeFolder({ "flake.config.ts": machine(config) });
  const nodes = new Map([["floe", testInput("floe")]]);
  const written = await writeFlakeTypes({
    directory: folder,
    resolved: { inputs: { floe: "floe" }, nodes },
    hostPath: findEngine,
    cache,
  });
  assert.equal(written.inputs, ["floe"]);
  return folder;
}

/** What `tsc` says of a folder, its places without the folder. */
function check(folder: string): string[] {
  const { stdout } = spawnSync(findCompiler().program, ["--noEmit", "--pretty", "false"], {
    cwd: folder,
    encoding: "utf8",
  });
  return stdout.split("\n").filter((line) => line !== "");
}

function positionOf(text: string, before: string): TextPosition {
  const lines = text.slice(0, text.indexOf(before) + before.length).split("\n");
  return { line: lines.length - 1, character: (lines.at(-1) as string).length };
}

const GOOD = `        services: { nginx: { enable: true, port: 8080 } },
        fileSystems: { "/": { device: "LABEL=root" } },`;

test("a flake whose only input is Floe passes tsc with the settings that were written", async () => {
  const folder = await outsideFlake(GOOD);
  assert.equal(check(folder), []);
});

test("mistakes in an outside flake are errors of tsc on their own line", async () => {
  const folder = await outsideFlake(`        services: { nginx: { enabel: true } },
        networking: { firewal: {} },
        time: { zone: 7 },
        fileSystems: { "/": { fsType: "ext4" } },
        users: { users: { alice: { uid: "1000" } } },`);
  const found = check(folder).filter((line) => line.startsWith("flake.config.ts"));
  const at = (line: number): string => found.find((error) => error.startsWith(`flake.config.ts(${line},`)) ?? "";
  assert.match(at(13), /'enabel' does not exist in type 'NginxDefs'\. Did you mean to write 'enable'\?/);
  assert.match(at(14), /'firewal' does not exist/);
  assert.match(at(15), /'?zone'? does not exist|Type 'number' is not assignable to type 'string'/);
  assert.match(at(16), /Property 'device' is missing/);
  assert.match(at(17), /Type 'string' is not assignable to type 'number/);
});

/** A flake that takes in Floe, a flake `app`, and pages that are no flake; `app` takes in a flake `lib` in a folder, and `lib` takes in `app`. */
async function flakeOfFlakes(outputs: string): Promise<string> {
  const text = `import { derivation } from "#floe/derivation";
import { defineFlake } from "#floe/flake";

export default defineFlake({
  inputs: { floe: "github:owner/floe", app: "github:owner/app", pages: { url: "path:./pages", flake: false } },
  outputs({ inputs }) {
    const { floe, app, pages } = inputs;
${outputs}
  },
});
`;
  const app = `import { defineFlake } from "#floe/flake";
import { answer } from "./answer.ts";
export default defineFlake({
  inputs: { lib: "github:owner/lib?dir=flake" },
  outputs: ({ inputs }) => ({ answer, port: inputs.lib.ports.web, loop: inputs.lib.loop }),
});
`;
  const lib = `import { defineFlake } from "#floe/flake";
export default defineFlake({
  inputs: { app: "github:owner/app" },
  outputs: ({ inputs }) => ({ ports: { /** Of the pages. */ web: 80 }, get loop() { return inputs.app.answer; } }),
});
`;
  const answer =
    "interface Answer { readonly text: string }\nexport const answer = (text: string): Answer => ({ text });\n";
  const sources: Record<string, string> = {
    floe: findEngine(),
    app: makeFolder({ "flake.config.ts": app, "answer.ts": answer }),
    lib: makeFolder({ "flake/flake.config.ts": lib }),
    pages: makeFolder({ "index.html": "" }),
  };
  const dir = { type: "path", path: "/nowhere", narHash: "", lastModified: 0, dir: "flake" } as const;
  const nodes = new Map(
    [
      testInput("floe"),
      testInput("app", { inputs: { lib: "lib" } }),
      testInput("lib", { inputs: { app: "app" }, locked: dir }),
      testInput("pages", { isFlake: false }),
    ].map((node) => [node.id, node]),
  );
  const places = new Map([...nodes.values()].map(({ id, storePath }) => [storePath as string, sources[id] as string]));
  const folder = makeFolder({ "flake.config.ts": text });
  const inputs = { floe: "floe", app: "app", pages: "pages" };
  await writeFlakeTypes({
    directory: folder,
    resolved: { inputs, nodes },
    hostPath: (path) => places.get(path) as string,
    cache,
  });
  return folder;
}

test("the outputs of inputs, and of theirs, are known to tsc", async () => {
  const folder = await flakeOfFlakes(`    const { hello } = floe.packages["x86_64-linux"];
    const port: number = app.port;
    const text: string = app.answer("a").text;
    const made = derivation({ name: text, system: "x86_64-linux", builder: \`\${hello}/b\`, env: { pages: \`\${pages} \${port}\` } });
    return { packages: { "x86_64-linux": { made, web: floe.systems.web.toplevel } }, loop: app.loop };`);
  assert.equal(check(folder), []);
});

test("a misspelt output of an input is an error of tsc on its own line", async () => {
  const folder = await flakeOfFlakes(`    const a = floe.packages["x86_64-linux"].helo;
    const b = app.prot;
    const c = app.answer(7);
    const d = pages.packages;
    const e = inputs.appp;
    const f = floe.systems.web.config.services.ngnix;
    return { a, b, c, d, e, f };`);
  const found = check(folder);
  const at = (line: number): string => found.find((error) => error.startsWith(`flake.config.ts(${line},`)) ?? "";
  assert.match(at(8), /'helo' does not exist on type 'Pkgs'\. Did you mean 'hello'\?/);
  assert.match(at(9), /'prot' does not exist on type 'SourceInput & \{ answer: /);
  assert.match(at(10), /'number' is not assignable to parameter of type 'string'/);
  assert.match(at(11), /'packages' does not exist on type 'SourceInput'/);
  assert.match(at(12), /'appp' does not exist.*Did you mean 'app'\?/);
  assert.match(at(13), /'ngnix' does not exist.*Did you mean 'nginx'\?/);
  assert.is(found.filter((line) => line.includes("error")).length, 6, found.join("\n"));
});

test("an editor proposes the outputs of an input", async () => {
  const folder = await flakeOfFlakes("    return {};");
  const file = join(folder, "flake.config.ts");
  const text = readFileSync(file, "utf8").replace("return {}", "return { port: app. }");
  using server = await LanguageServer.open(folder);
  server.write(file, text);
  const options = await server.complete(file, positionOf(text, "port: app."));
  const labels = options.map(({ label }) => label);
  for (const name of ["answer", "port", "loop", "outPath", "sourceInfo"]) assert.ok(labels.includes(name), name);
});

test("what an evaluation does not have does not exist for tsc either", async () => {
  const folder = await outsideFlake(GOOD);
  writeFileSync(join(folder, "impure.ts"), 'import "node:fs";\nfetch("x");\nprocess.env;\nexport {};\n');
  const found = check(folder);
  assert.is(found.filter((line) => line.startsWith("impure.ts")).length, 3, found.join("\n"));
});

test("an editor proposes the options of an input with their descriptions", async () => {
  const folder = await outsideFlake(GOOD);
  const file = join(folder, "flake.config.ts");
  const text = machine(`        services: { nginx: {  } },
        fileSystems: { "/": {  } },`);
  using server = await LanguageServer.open(folder);
  server.write(file, text);
  const options = await server.complete(file, positionOf(text, "nginx: { "), "port");
  assert.ok(options.some(({ label }) => label === "virtualHosts?"));
  const port = options.find(({ label }) => label === "port?");
  assert.is(port?.documentation, "The port of virtual hosts that do not choose one.");
  assert.match(port?.detail ?? "", /port\?: number/);
  const members = await server.complete(file, positionOf(text, '"/": { '), "device");
  const device = members.find(({ label }) => label === "device");
  assert.match(device?.documentation ?? "", /^A device/);
});

test("an editor shows the description of an option that is there", async () => {
  const folder = await outsideFlake(GOOD);
  const file = join(folder, "flake.config.ts");
  const text = readFileSync(file, "utf8");
  using server = await LanguageServer.open(folder);
  server.write(file, text);
  assert.match((await server.hover(file, positionOf(text, "{ nginx: { en"))) ?? "", /Run the nginx web server\./);
});

test("LanguageServer.complete() says so when the server is gone", async () => {
  const server = await LanguageServer.open(await outsideFlake(GOOD));
  server[Symbol.dispose]();
  const error = await errorOf(server.complete("/a.ts", { line: 0, character: 0 }));
  assert.is(error.code, "types.no-answer");
});

test("writeFlakeTypes() leaves a tsconfig.json of the user and files that say the same", async () => {
  const folder = await outsideFlake(GOOD);
  const own = '{ "extends": "./.floe/tsconfig.json", "include": ["other.ts"] }\n';
  writeFileSync(join(folder, "tsconfig.json"), own);
  const options = { directory: folder, resolved: { inputs: {}, nodes: new Map() }, hostPath: findEngine, cache };
  const written = await writeFlakeTypes(options);
  assert.is(written.project, undefined);
  assert.is(readFileSync(join(folder, "tsconfig.json"), "utf8"), own);
  assert.is(readFileSync(join(folder, TYPES_FOLDER, ".gitignore"), "utf8"), "*\n");
});

test("wantsTypes() looks for the folder, or for its name in the flake's own settings", async () => {
  assert.is(wantsTypes(makeFolder({})), false);
  assert.is(wantsTypes(makeFolder({ "tsconfig.json": "{}" })), false);
  assert.is(wantsTypes(makeFolder({ "tsconfig.json": '{ "extends": "./.floe/tsconfig.json" }' })), true);
  assert.is(wantsTypes(await outsideFlake(GOOD)), true);
});

test("declareInput() leaves nothing behind when it fails", async () => {
  const engine = await declareEngine(findEngine(), { cache });
  const before = readdirSync(cache);
  const flake = {
    storePath: "/nix/store/none",
    hostPath: makeFolder({}),
    dir: "",
    name: "the input none",
    inputsText: "",
  };
  const error = await errorOf(declareInput(flake, engine, { cache }));
  assert.is(error.code, "types.failed");
  assert.equal(readdirSync(cache), before);
});

test("declareEngine() makes declarations once", async () => {
  const first = await declareEngine(findEngine(), { cache });
  const { mtimeMs } = statSync(first.folder);
  assert.equal(await declareEngine(findEngine(), { cache }), first);
  assert.is(statSync(first.folder).mtimeMs, mtimeMs);
});

test("findCompiler() says where it looked", () => {
  const engine = makeFolder({});
  mkdirSync(join(engine, "node_modules"));
  assert.throws(
    () => findCompiler(engine),
    (error: { code: string; message: string }) => {
      return error.code === "types.no-compiler" && error.message.includes(engine);
    },
  );
});

test.run();

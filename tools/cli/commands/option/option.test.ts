import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runFloe, temporaryDirectory } from "../../testing.ts";

const folder = temporaryDirectory();
const TEXT = `import { defineFlake } from "#floe/flake";
import { declare, defaults, defineModule, force, option, evaluateModules } from "#floe/module";

const web = defineModule(
  declare("services.web", {
    enable: option.bool({ default: false, description: "Run the web server." }),
    port: option.port({ default: 80, description: "The port it listens on." }),
    hosts: option.attrsOf(option.submodule({ root: option.str({ description: "What is served." }) })),
  }),
  ({ cfg, define }) => {
    if (cfg.enable) define({ services: { web: { port: defaults(8080) } } } as never);
  },
);
const wall = defineModule(declare("firewall", { ports: option.listOf(option.int()) }), ({ config, define }) => {
  define({ firewall: { ports: [(config as any).services.web.port] } } as never);
});
const config = { services: { web: { enable: true, port: force(81), hosts: { "a.b": { root: "/srv" } } } } };

export default defineFlake({
  outputs: () => ({
    systems: { box: { kind: "system", name: "box", evaluated: evaluateModules({ modules: [web, wall], config: config as never }) } as never },
    packages: { "x86_64-linux": {
      tidy: { kind: "package", name: "tidy", version: "1.0", meta: { summary: "Keeps things tidy" } } as never,
      broken: { kind: "package", get name() { throw new Error("broken"); } } as never,
    } },
    answer: 42,
    plus: { one: (n: number) => n + 1 },
  }),
});
`;
writeFileSync(join(folder, "flake.config.ts"), TEXT);

/** The line of the flake with a text, from 1. */
const lineOf = (text: string): number => TEXT.slice(0, TEXT.indexOf(text)).split("\n").length;
const columnOf = (text: string): number => TEXT.indexOf(text) - TEXT.lastIndexOf("\n", TEXT.indexOf(text));
const env = { XDG_CACHE_HOME: temporaryDirectory() };
const store = temporaryDirectory();
const floe = (...words: string[]) => runFloe([...words, "--store", store], { cwd: folder, env });

test("option show tells value, definitions with places and priorities, and readers", async () => {
  const { code, stdout, stderr } = await floe("option", "show", "services.web.port");
  assert.is(code, 0, stderr);
  const file = join(folder, "flake.config.ts");
  assert.match(stdout, "The port it listens on.");
  assert.match(stdout, /^Value: 81$/m);
  assert.match(stdout, /^Default: 80$/m);
  assert.match(stdout, `* 81 (force, 50) by the configuration at ${file}:`);
  assert.match(
    stdout,
    `  8080 (defaults, 1000) by services.web at ${file}:${lineOf("if (cfg.enable)")}:${columnOf("port: defaults(8080)")}`,
  );
  assert.match(stdout, new RegExp(`^Read by:\n  firewall at ${file}:`, "m"));
});

test("option show says where a flake belongs that comes behind the path", async () => {
  const { code, stderr } = await floe("option", "show", "services.web.port", ".#box");
  assert.is(code, 64);
  assert.match(stderr, "hint: The flake comes behind its flag: --flake .#box");
  assert.not.match((await floe("option", "show", "services.web.port", "more")).stderr, "--flake");
});

test("option show gives data, also for what lies inside a set of free names", async () => {
  const { stdout } = await floe("option", "show", "--json", 'services.web.hosts."a.b".root');
  const option = JSON.parse(stdout);
  assert.is(option.path, "services.web.hosts.<name>.root");
  assert.is(option.value, "/srv");
  assert.is(option.description, "What is served.");
  assert.is(option.definitions[0].at.file, join(folder, "flake.config.ts"));
});

test("option show lists a group, and says what is near to a name that nobody declares", async () => {
  const group = await floe("option", "show", "services.web");
  assert.match(group.stdout, /^services\.web\.enable: /m);
  const { code, stderr } = await floe("option", "show", "services.web.prot");
  assert.is(code, 1);
  assert.match(stderr, "[option.unknown-path]");
  assert.match(stderr, 'Did you mean "services.web.port"?');
});

test("option show asks for the name of a system where there are several and no default", async () => {
  const several = temporaryDirectory();
  writeFileSync(join(several, "flake.config.ts"), TEXT.replace("systems: {", "systems: { other: {} as never,"));
  const show = (...words: string[]) =>
    runFloe(["option", "show", "services.web.port", ...words, "--store", store], { cwd: several, env });
  const { code, stderr } = await show();
  assert.is(code, 1);
  assert.match(stderr, "Cannot choose one of the systems box, other:");
  const [hint, reference = ""] = /Name it: (--flake \S+)/.exec(stderr) ?? [];
  assert.ok(hint);
  assert.match((await show(...reference.split(" "))).stdout, /^Value: 81$/m);
});

test("option show is never stale", async () => {
  writeFileSync(join(folder, "flake.config.ts"), TEXT.replace("force(81)", "force(82)"));
  assert.match((await floe("option", "show", "services.web.port")).stdout, /^Value: 82$/m);
  writeFileSync(join(folder, "flake.config.ts"), TEXT);
  assert.match((await floe("option", "show", "services.web.port")).stdout, /^Value: 81$/m);
});

test("option search wants all words, in paths or descriptions", async () => {
  const { stdout } = await floe("option", "search", "WEB", "port|root", "--json");
  assert.equal(
    JSON.parse(stdout).map(({ path }: { path: string }) => path),
    ["services.web.hosts.<name>.root", "services.web.port"],
  );
  assert.is((await floe("option", "search", "nothing-like-it")).code, 1);
  assert.match((await floe("option", "search", "(")).stderr, "[search.bad-pattern]");
});

test("option graph tells which module gives what to whom, and who reads it", async () => {
  const { code, stdout, stderr } = await floe("option", "graph");
  assert.is(code, 0, stderr);
  assert.is(
    stdout,
    `firewall\n  reads services.web: port\nthe configuration\n  defines services.web: enable, hosts, port\n`,
  );
  const edges = JSON.parse((await floe("option", "graph", "--json", "firewall")).stdout);
  assert.equal(edges, [{ from: "firewall", to: "services.web", kind: "reads", options: ["services.web.port"] }]);
  const drawn = await floe("option", "graph", "--dot");
  assert.match(drawn.stdout, /^digraph modules \{\n.*\n {2}"services\.web" -> "firewall" \[label = .*dashed\];\n/);
  assert.match(
    drawn.stdout,
    '"the configuration" -> "services.web" [label = "services.web.enable\\nservices.web.hosts',
  );
  assert.is((await floe("option", "graph", "--no-reads", "firewall")).stdout, "");
  const near = await floe("option", "graph", "firewal");
  assert.match(near.stderr, "[option.unknown-module]");
  assert.match(near.stderr, 'Did you mean "firewall"?');
});

test("option commands want a system", async () => {
  assert.match((await floe("option", "show", "a", "--flake", ".#answer")).stderr, "[option.not-a-system]");
  const path = "/nix/store/00000000000000000000000000000000-x";
  assert.match((await floe("option", "show", "a", "--flake", path)).stderr, "[option.not-a-flake]");
});

/** A flake with a machine of one module; `rule` is what the module does, `outputs` what else the flake gives out. */
function machineFlake(
  rule: string,
  outputs = "systems: { box: machine }",
): { readonly cwd: string; readonly file: string } {
  const cwd = temporaryDirectory();
  const file = join(cwd, "flake.config.ts");
  writeFileSync(
    file,
    `import { defineFlake } from "#floe/flake";
import { declare, defineModule, option } from "#floe/module";
import { makeSystem } from "#floe/system";

const web = defineModule(
  declare("services.web", { port: option.port({ default: 80, description: "The port it listens on." }) }),
  ({ cfg, define }) => { ${rule} },
);
const off = defineModule(declare("services.off", { enable: option.bool() }));
const machine = makeSystem({
  name: "box", pkgs: { coreutils: "none" }, modules: [web, off], disabledModules: ["services.off"], config: {},
});
export default defineFlake({ outputs: () => ({ ${outputs} }) });
`,
  );
  return { cwd, file };
}

test("option search and show tell what modules declare where the configuration cannot be evaluated", async () => {
  const { cwd, file } = machineFlake("throw new Error(`a slip at ${cfg.port}`);");
  const run = (...words: string[]) => runFloe([...words, "--store", store], { cwd, env });
  const found = await run("option", "search", "listens");
  assert.is(found.code, 0, found.stderr);
  assert.is(found.stdout, "services.web.port: a whole number from 0 to 65535\n  The port it listens on.\n");
  assert.match(
    found.stderr,
    /^warning: .* cannot be evaluated: flake\.config\.ts:7:.*a slip at 80 \[module\.rule-failed\]/m,
  );
  for (let time = 0; time < 2; time++) {
    const { code, stdout, stderr } = await run("option", "show", "services.web.port");
    assert.is(code, 1);
    assert.match(stdout, /^Type: a whole number from 0 to 65535$/m);
    assert.match(stdout, /^Default: 80$/m);
    assert.match(stdout, /^Value: none \(flake\.config\.ts:7:\d+: .*a slip at 80 \[module\.rule-failed\]\)$/m);
    assert.match(stdout, `Declared by: services.web at ${file}:6:3`);
    assert.match(stderr, /^flake\.config\.ts:7:\d+: error: .*a slip at 80/m);
  }
  const data = await run("option", "show", "services.web.port", "--json");
  assert.is(data.code, 1);
  assert.is(JSON.parse(data.stdout).default, "80");
  assert.not("value" in JSON.parse(data.stdout));
  assert.match((await run("option", "show", "services.web")).stdout, "services.web.port: a whole number");
  const near = await run("option", "show", "services.web.prot");
  assert.match(near.stderr, /a slip at 80[\s\S]*Did you mean "services\.web\.port"\?/);
  // A module that is disabled declares nothing.
  assert.is((await run("option", "search", "services.off")).code, 1);
  assert.match((await run("option", "graph")).stderr, "[module.rule-failed]");
});

test("option search and show take a flake that gives out modules alone", async () => {
  for (const outputs of ["modules: [web, off]", "modules: { default: web, more: [web, off] }"]) {
    const { cwd, file } = machineFlake("", outputs);
    const run = (...words: string[]) => runFloe([...words, "--store", store], { cwd, env });
    const found = await run("option", "search", "services", "--json");
    assert.is(found.code, 0, found.stderr);
    assert.equal(
      JSON.parse(found.stdout).map(({ path }: { path: string }) => path),
      ["services.off.enable", "services.web.port"],
    );
    const { code, stdout, stderr } = await run("option", "show", "services.web.port");
    assert.is(code, 0, stderr);
    assert.match(stdout, "Value: none (modules have none)\nDefault: 80\n");
    assert.match(stdout, `Declared by: services.web at ${file}:6:3`);
    assert.match((await run("option", "graph")).stderr, "[option.no-configuration]");
  }
  const { cwd } = machineFlake("", "modules: { default: web, off }");
  const one = await runFloe(["option", "search", ".", "--flake", ".#modules.off", "--store", store], { cwd, env });
  assert.is(one.stdout, "services.off.enable: true or false\n");
});

test("option show and search take doc comments for options without a description", async () => {
  const { cwd, file } = machineFlake("");
  const text = readFileSync(file, "utf8").replace(
    'description: "The port it listens on." }) }',
    `}),
      /**
       * Sites by name, each
       * with {@link web | its} folder.
       *
       * More of it.
       */
      sites: option.attrsOf(option.submodule({
        /** The folder that is served. */
        root: option.str(),
        /** Not this. */
        index: option.str({ description: "But this." }),
      })),
    }`,
  );
  const run = (...words: string[]) => runFloe([...words, "--store", store], { cwd, env });
  for (const outputs of ["systems: { box: machine }", "modules: [web]"]) {
    writeFileSync(file, text.replace("systems: { box: machine }", outputs));
    const { stdout } = await run("option", "search", "services", "folder|this", "--json");
    assert.equal(
      JSON.parse(stdout).map(({ path, description }: { path: string; description: string }) => [path, description]),
      [
        ["services.web.sites", "Sites by name, each with its folder."],
        ["services.web.sites.<name>.index", "But this."],
        ["services.web.sites.<name>.root", "The folder that is served."],
      ],
    );
    const shown = await run("option", "show", "services.web.sites.blog.root");
    assert.match(shown.stdout, "services.web.sites.<name>.root\n  The folder that is served.\n");
    const bare = await run("option", "show", "services.web.port");
    assert.match(bare.stdout, "services.web.port\n\nType: ");
  }
  writeFileSync(file, text.replace("The folder that", "The directory that"));
  assert.match((await run("option", "show", "services.web.sites.x.root")).stdout, "  The directory that is served.\n");
});

test("search finds packages by name and description, and is not stopped by a broken one", async () => {
  const { stdout, stderr } = await floe("search", "tidy", "things", "--json");
  assert.equal(JSON.parse(stdout || stderr), {
    "packages.x86_64-linux.tidy": { name: "tidy", version: "1.0", description: "Keeps things tidy" },
  });
  assert.is((await floe("search", "tidy", "--exclude", "keeps")).code, 1);
});

test("eval --apply and --expr evaluate TypeScript of the command line", async () => {
  assert.is((await floe("eval", ".#answer", "--apply", "(n: number) => n + 1")).stdout, "43\n");
  assert.is((await floe("eval", "-E", "outputs.plus.one(outputs.answer as number)", "--json")).stdout, "43\n");
  assert.is((await floe("eval", "-E", "`a${1 + 1}`", "--raw")).stdout, "a2");
  assert.match((await floe("eval", ".#answer", "--apply", "43")).stderr, "[eval.not-a-function]");
  assert.match((await floe("eval", ".", "--apply", "x => x", "-E", "1")).stderr, "[eval.two-expressions]");
});

test("eval tells mistakes of an expression at their place in it", async () => {
  assert.match(
    (await floe("eval", "-E", "\n  (outputs as any).x.y")).stderr,
    /^<expression>:2:22: error: .*reading 'y'/m,
  );
  assert.match((await floe("eval", "-E", "1 +")).stderr, /^<expression>:\d:\d: error: .*\[evaluation\.syntax\]/m);
  assert.match((await floe("eval", "-E", "process.env")).stderr, "[evaluation.impure]");
  assert.match(
    (await floe("eval", "-E", "1); import 'node:fs'; (2")).stderr,
    /\[evaluation\.(syntax|import-refused)\]/,
  );
});

test.run();

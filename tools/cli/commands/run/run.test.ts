import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runFloe, temporaryDirectory } from "../../testing.ts";
import { writeFlake } from "../../testing-flake.ts";

const store = temporaryDirectory();

type Run = (...words: string[]) => ReturnType<typeof runFloe>;

/** A flake with an app, a formatter and an environment, each a script that is copied into a package; runs commands on it in a store. */
function makeFlake(): (at: string) => Run {
  const cwd = temporaryDirectory();
  writeFlake(cwd, `default: copy("tool"), other: shell("other", "echo > $out"),`);
  const file = `${cwd}/flake.config.ts`;
  const text = readFileSync(file, "utf8")
    .replace(
      "export default",
      `const copy = (name: string) => shell(name, \`\${tools}/loader --library-path \${tools} \${tools}/cp -r \${local("./scripts")} $out\`);
export default`,
    )
    .replace(
      "({ packages:",
      `({ formatter: { "x86_64-linux": copy("format") },
        devShells: { "x86_64-linux": { default: copy("shell") } },
        apps: { "x86_64-linux": {
          app: { type: "app", program: \`\${copy("tool")}/bin/app\` },
          source: { type: "app", program: \`\${local("./scripts")}/bin/app\` },
          gone: { type: "app", program: \`\${copy("tool")}/bin/gone\` },
        } },
        packages:`,
    );
  writeFileSync(file, text);
  mkdirSync(`${cwd}/scripts/bin`, { recursive: true });
  const scripts = {
    tool: 'echo "tool $*"',
    app: 'echo "app $*"',
    format: 'echo "format $*"',
    enter: 'export INSIDE=yes; exec "$@"',
  };
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(`${cwd}/scripts/bin/${name}`, `#!/bin/sh\n${script}\n`);
    chmodSync(`${cwd}/scripts/bin/${name}`, 0o755);
  }
  const listed = execFileSync("ldd", ["/bin/cp"], { encoding: "utf8" });
  copyFileSync("/bin/cp", `${cwd}/shell/cp`);
  for (const [, path = ""] of listed.matchAll(/=> (\/\S+) \(0x/g)) copyFileSync(path, `${cwd}/shell/${basename(path)}`);
  return (at) =>
    (...words) =>
      runFloe([...words, "--store", at], { cwd, env: { XDG_CACHE_HOME: store } });
}

const runIn = makeFlake();
const run = runIn(store);

test("floe run builds a package and runs its program, or the program of an app", async () => {
  const first = await run("run", ".", "a", "b");
  assert.is(first.stdout, "tool a b\n", first.stderr);
  assert.is((await run("run", ".#app", "c")).stdout, "app c\n");
  assert.is((await run("run", ".#source")).stdout, "app \n");
});

test("floe run runs what lies in two stores, of which neither is mounted upon the other", async () => {
  const upper = temporaryDirectory();
  const layered = runIn(`local-overlay://?root=${upper}/m&lower-store=${store}&upper-layer=${upper}/upper`);
  // From below, and from above.
  const below = await layered("run", ".", "a");
  assert.is(below.stdout, "tool a\n", below.stderr);
  const own = (): string[] => readdirSync(`${upper}/upper`).filter((name) => name.endsWith("-format"));
  assert.equal(own(), []);
  const above = await layered("fmt", "b");
  assert.is(above.stdout, "format b\n", above.stderr);
  assert.is(own().length, 1);
});

test("floe run says which program is not there", async () => {
  const gone = await run("run", ".#gone");
  assert.match(gone.stderr, "[run.no-program]");
  assert.match(gone.stderr, "bin/gone");
  const other = await run("run", ".#other");
  assert.match(other.stderr, "Set meta.mainProgram");
});

test("floe fmt runs the formatter of the flake", async () => {
  const { stdout, stderr } = await run("fmt", "src");
  assert.is(stdout, "format src\n", stderr);
});

test("floe develop runs a command in an environment", async () => {
  const { stdout, stderr } = await run("develop", ".", "env");
  assert.match(stdout, /^INSIDE=yes$/m, stderr);
  assert.match((await run("develop", "-c", "env")).stdout, /^INSIDE=yes$/m);
  const none = await run("develop", ".#packages.x86_64-linux.other");
  assert.match(none.stderr, "[run.no-program]");
});

test.run();

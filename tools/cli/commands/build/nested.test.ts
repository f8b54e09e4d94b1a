import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CliResult, runFloe, temporaryDirectory } from "../../testing.ts";
import { writeFlake } from "../../testing-flake.ts";

const directory = temporaryDirectory();
const flake = join(directory, "flake");
const root = join(directory, "root");
mkdirSync(flake);
// The builder of the plan has only a shell; what it writes has another one to run, by the same loader.
writeFlake(
  flake,
  `
    plan,
    made: outputOf(plan),
    user: shell("user", \`read line < \${outputOf(plan)}; echo "used: $line" > $out\`),
    wrong: shell("wrong", \`read line < \${outputOf(plan, "dev")}\`),
`,
  "",
  `
const TERM = 'Derive([("out","","","")],[],["%"],"x86_64-linux","%/loader",["--library-path","%","%/sh","-c","echo made > $out"],[("out","")])';
const plan = shell("greeting.drv", 'IFS=%; set -f; out2=; for part in $term; do out2="$out2\${out2:+$tools}$part"; done; printf "%s" "$out2" > $out', {
  contentAddressed: { method: "text", algorithm: "sha256" },
  env: { term: TERM, tools },
});
`,
);

function floe(...words: string[]): Promise<CliResult> {
  return runFloe([...words, "--store", root], { cwd: flake, env: { XDG_CACHE_HOME: join(directory, "cache") } });
}

test("floe build builds what builders wrote, and says so", async () => {
  const dry = await floe("build", "--dry-run", ".#user");
  assert.is(dry.code, 0, dry.stderr);
  assert.match(dry.stdout, /^build greeting\.drv.*\nthen {2}what out of greeting\.drv says\nbuild user/m);
  const early = await floe("derivation", "show", ".#plan^out^out");
  assert.match(early.stderr, "[installable.not-built]");
  assert.match(early.stderr, /floe build '.*-greeting\.drv\.drv\^out'/);

  const built = await floe("build", ".#user", "--print-out-paths");
  assert.is(built.code, 0, built.stderr);
  assert.match(
    built.stderr,
    /found greeting, written by greeting\.drv\.drv\n {2}1 to build, 0 to fetch:\n {4}build greeting: missing, needed by user/,
  );
  assert.is(readFileSync(root + built.stdout.trim(), "utf8"), "used: made\n");
});

test("floe build, derivation show, store info and why-depends take outputs of outputs", async () => {
  const made = await floe("build", ".#made", "--json");
  assert.is(made.code, 0, made.stderr);
  const [{ drvPath, outputs }] = JSON.parse(made.stdout) as [{ drvPath: string; outputs: { out: string } }];
  assert.match(drvPath, /-greeting\.drv$/);
  assert.is(readFileSync(root + outputs.out, "utf8"), "made\n");
  const named = await floe("build", ".#plan^out^out", "--print-out-paths", "--no-link");
  assert.equal([named.code, named.stdout], [0, `${outputs.out}\n`], named.stderr);

  const shown = JSON.parse((await floe("derivation", "show", ".#plan^out^*")).stdout) as Record<string, unknown>;
  assert.equal(Object.keys(shown), [drvPath]);
  const whole = JSON.parse((await floe("derivation", "show", "-r", ".#user")).stdout) as Record<
    string,
    { inputDrvs: object }
  >;
  const [outer = ""] = Object.keys(whole).filter((path) => path.endsWith("-greeting.drv.drv"));
  const user = Object.keys(whole).find((path) => path.endsWith("-user.drv")) ?? "";
  assert.equal(whole[user]?.inputDrvs, {
    [outer]: { dynamicOutputs: { out: { dynamicOutputs: {}, outputs: ["out"] } }, outputs: [] },
  });
  const info = await floe("store", "info", "--json", drvPath);
  assert.match(info.stdout, '"ca": "text:sha256:', info.stderr);
  const why = await floe("store", "why-depends", user, outer);
  assert.match(why.stdout, "greeting.drv.drv", why.stderr);
  const copied = await floe("copy", "--to", join(directory, "other"), ".#plan^out^out", "--no-check-sigs");
  assert.is(copied.code, 0, copied.stderr);
  const log = await floe("log", ".#plan^out^out");
  assert.is(log.code, 0, log.stderr);
});

test("floe build says what is wrong with outputs of outputs", async () => {
  const wrong = await floe("build", ".#wrong");
  assert.equal([wrong.code, wrong.stderr.includes("it has the outputs out")], [100, true], wrong.stderr);
  assert.match((await floe("build", ".#plan^dev^out")).stderr, "[installable.no-output]");
  const added = await floe("derivation", "show", ".#user");
  assert.is(added.code, 0);
});

test.run();

import { readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runFloe, temporaryDirectory } from "../../testing.ts";
import { writeFlake } from "../../testing-flake.ts";

interface Report {
  readonly ok: boolean;
  readonly outputs: readonly { readonly attribute: string }[];
  readonly built: readonly string[];
  readonly warnings: readonly string[];
  readonly faults: readonly {
    readonly stage: string;
    readonly attribute?: string;
    readonly code: string;
    readonly at?: { readonly file: string; readonly line: number };
  }[];
}

const store = temporaryDirectory();

/** A flake with these checks and other outputs. */
function flakeWith(checks: string, more = "", before = ""): (...words: string[]) => ReturnType<typeof runFloe> {
  const cwd = temporaryDirectory();
  writeFlake(cwd, checks, "", before);
  const file = `${cwd}/flake.config.ts`;
  const text = readFileSync(file, "utf8").replace("({ packages: {", `({ ${more}\n  checks: {`);
  writeFileSync(file, text);
  return (...words) => runFloe(["flake", "check", ...words, "--store", store], { cwd, env: { XDG_CACHE_HOME: store } });
}

const GOOD = `good: shell("good", "echo > $out"),`;
test("floe flake check is content with what is right, and builds the checks", async () => {
  const run = flakeWith(GOOD, `package: 1, lib: { f: () => 1 },`);
  const first = await run();
  assert.is(first.code, 0, first.stderr);
  assert.match(first.stderr, "nothing is wrong: 3 outputs evaluated, 1 check built");
  assert.match(first.stderr, 'warning: Floe knows no output "package". Did you mean "packages"?');
  assert.is(first.stdout, "");
  const report = JSON.parse((await run("--json")).stdout) as Report;
  assert.equal([report.ok, report.built, report.faults], [true, ["checks.x86_64-linux.good"], []]);
});

test("floe flake check tells every fault at once, each with its place, and ends with 1", async () => {
  const run = flakeWith(
    GOOD.replace("good:", "get good() { return").replace(/,$/, "; },") +
      `get failing() { return shell("failing", "exit 3"); },
       get needing() { return shell("needing", \`echo \${shell("below", "exit 4")} > $out\`); },
       get thrown() { throw new Error("on purpose"); },
       number: 3 as never,
       get misspelt() { return shel("misspelt", ""); },`,
    `apps: { default: 1 },`,
  );
  const { code, stdout } = await run("--json");
  assert.is(code, 1);
  const report = JSON.parse(stdout) as Report;
  assert.equal(
    report.faults.map(({ stage, attribute, code: what }) => `${stage} ${attribute ?? "-"} ${what}`),
    [
      "types - flake.type-error",
      "types - flake.type-error",
      "types - flake.type-error",
      "evaluation apps.default flake.output-malformed",
      "evaluation checks.x86_64-linux.thrown evaluation.failed",
      "evaluation checks.x86_64-linux.number flake.output-malformed",
      "evaluation checks.x86_64-linux.misspelt evaluation.failed",
      "build checks.x86_64-linux.failing build.failed",
      "build checks.x86_64-linux.needing flake.check-not-built",
    ],
  );
  assert.ok(report.faults.every(({ at }) => at?.file.endsWith("/flake.config.ts") && at.line > 20));
  assert.is(report.faults.at(-1)?.code, "flake.check-not-built");
  assert.equal(report.built, ["checks.x86_64-linux.good"]);
  const told = await run();
  assert.is(told.code, 1);
  for (const found of [
    "Cannot find name 'shel'",
    "on purpose",
    "found a number",
    'Cannot build "checks.x86_64-linux.failing"',
  ])
    assert.match(told.stderr, found);
  assert.match(told.stderr, "9 faults: ");
});

test("floe flake check tells a fault that outputs share once, with these outputs", async () => {
  const gone = 'const gone = (): any => shell("gone", `cat ${local("./gone")}`);';
  const run = flakeWith(`${GOOD} get a() { return gone(); }, get b() { return gone(); },`, "", gone);
  const { code, stderr } = await run("--no-build");
  assert.is(code, 1);
  assert.is(stderr.split("[source.missing]").length, 2, stderr);
  assert.match(stderr, "  stops checks.x86_64-linux.a, checks.x86_64-linux.b\n");
  assert.match(stderr, "1 fault: 3 outputs evaluated");
  const report = JSON.parse((await run("--no-build", "--json")).stdout) as Report;
  assert.equal(
    report.faults.map(({ attribute }) => attribute),
    ["checks.x86_64-linux.a", "checks.x86_64-linux.b"],
  );
});

test("floe flake check --no-build builds nothing, --no-types leaves types out, --no-keep-going stops", async () => {
  const run = flakeWith(`good: shell("good", "echo > $out"), failing: shell("failing", "exit 3"),`, `lib: nothing(),`);
  const unbuilt = JSON.parse((await run("--json", "--no-build")).stdout) as Report;
  // The outputs as a whole fail, so there is one fault of the evaluation.
  assert.equal(
    unbuilt.faults.map(({ stage }) => stage),
    ["types", "evaluation"],
  );
  const other = flakeWith(
    `good: shell("good", "echo > $out"), failing: shell("failing", "exit 3"),`,
    `apps: 1 as never,`,
  );
  const none = JSON.parse((await other("--json", "--no-build", "--no-types")).stdout) as Report;
  assert.equal(
    none.faults.map(({ code }) => code),
    ["flake.output-malformed"],
  );
  assert.equal(none.built, []);
  const stopped = JSON.parse((await other("--json", "--no-keep-going")).stdout) as Report;
  assert.equal(
    stopped.faults.map(({ stage }) => stage),
    ["evaluation"],
  );
});

test("floe flake check looks at other platforms when it is told to, and builds nothing for them", async () => {
  const run = flakeWith(GOOD, `packages: { "riscv64-linux": { odd: 1 as never } },`);
  assert.is((await run()).code, 0);
  const { faults } = JSON.parse((await run("--json", "--all-platforms")).stdout) as Report;
  assert.equal(
    faults.map(({ attribute }) => attribute),
    ["packages.riscv64-linux.odd"],
  );
});

test.run();

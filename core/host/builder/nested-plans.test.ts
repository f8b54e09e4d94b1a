import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import { type BuildEvent, type BuildTarget, MOST_FOLLOWED, shortName } from "../../build/index.ts";
import {
  type Derivation,
  type DerivationValue,
  derivationPath,
  downstreamPlaceholder,
  completeOutputs,
  formatDerivation,
  makeInputHashes,
  outputOf,
  placeholder,
} from "../../derivation/index.ts";
import type { StorePath } from "../../store/index.ts";
import { type BuildOptions, buildPaths } from "./index.ts";
import { followOutput } from "./follow-output.ts";
import { RealisedOutputs } from "./realised-outputs.ts";
import { openBuildBench } from "./testdata/build-bench.ts";

/** Derivations that builders write, and what needs their outputs. */
const test = suite("plans that builds produce");
const bench = await openBuildBench();

if (typeof bench === "string") {
  console.log(`skipped: ${bench}`);
} else {
  const { store, script, build } = bench;
  const text = { contentAddressed: { method: "text", algorithm: "sha256" } } as const;
  const template = store.readDerivation((await script("true")).drvPath as StorePath);

  /** A derivation as a builder writes it: by shell text, with outputs whose paths it leaves to us. */
  function inner(name: string, words: string, change: Partial<Derivation> = {}): Derivation {
    const outputs = change.outputs ?? { out: { path: "", hashAlgorithm: "", hash: "" } };
    const unset = Object.fromEntries(
      Object.entries(outputs).map(([output, { hashAlgorithm }]) => [
        output,
        hashAlgorithm === "" ? "" : placeholder(output),
      ]),
    );
    const env = { PATH: template.env["PATH"] as string, name, ...unset };
    return { ...template, name, args: ["sh", "-ec", words], outputs, ...change, env: { ...env, ...change.env } };
  }
  /** What is in a variable is looked at: placeholders in it are replaced, and store paths have to be known. */
  const hidden = (drv: Derivation): string => formatDerivation(drv).replaceAll("1", "@");
  const WRITE = `printf '%s' "$term" | tr @ 1 > $out`;
  /** One whose builder writes the given one. */
  function writing(drv: Derivation, env: Record<string, unknown> = {}): Promise<DerivationValue> {
    return script(WRITE, { name: `${drv.name}.drv`, env: { term: hidden(drv), ...env }, ...text });
  }
  async function made(value: DerivationValue, options?: BuildOptions): Promise<string> {
    const report = await build(value, options);
    assert.is(
      report.exitCode,
      0,
      report.failures.map(({ error }) => `${error.message} ${error.details?.join()}`).join(),
    );
    return readFileSync(store.realPath(report.outputs[0] as StorePath), "utf8");
  }
  async function faults(value: DerivationValue, options?: BuildOptions) {
    const { failures, dependencyFailed, exitCode } = await build(value, options);
    assert.is(exitCode, 100);
    return {
      codes: failures.map(({ error }) => error.code),
      error: failures[0]?.error,
      lost: dependencyFailed.map(shortName),
    };
  }
  const found = (events: readonly BuildEvent[]): string[] =>
    events.flatMap((event) =>
      event.kind === "found" ? [shortName(event.drvPath), ...event.jobs.map(({ id }) => shortName(id))] : [],
    );

  test("what a builder wrote is built, and is what the derivation would be that says so", async () => {
    const hello = inner("hello", "echo hello > $out");
    const plan = await writing(hello);
    const user = await script(`cat ${outputOf(plan)} > $out; echo again >> $out`, { name: "user" });
    const report = await build(user);
    assert.is(report.exitCode, 0);
    assert.is(readFileSync(store.realPath(report.outputs[0] as StorePath), "utf8"), "hello\nagain\n");
    assert.equal(found(report.events), ["hello", "hello"]);
    assert.equal(report.built.map(shortName), ["hello.drv", "hello", "user"]);
    assert.equal(
      report.plan.jobs.map(({ kind }) => kind),
      ["build", "follow", "build"],
    );
    // The output is the very file that adding the derivation makes.
    assert.is(report.built[1], derivationPath(hello));
    // A second time everything is known from the beginning, and valid.
    const again = await build(user);
    assert.equal([again.plan.jobs, again.outputs], [[], report.outputs]);
    const other = await script(`cat ${outputOf(plan)} > $out`, { name: "other" });
    assert.equal(
      (await build(other)).plan.jobs.map(({ id }) => shortName(id)),
      ["other"],
    );
  });

  test("early cutoff goes through plans: another writer of the same derivation changes nothing after it", async () => {
    const same = inner("same", "echo same > $out");
    const users = [];
    for (const [i, words] of ["", "# "].entries()) {
      const plan = await writing(same, { words });
      users.push(await script(`cat ${outputOf(plan)} > $out`, { name: "cut", env: { n: "" } }));
      const report = await build(users[i] as DerivationValue);
      assert.is(report.exitCode, 0);
      const events = report.events.map(({ kind }) => kind);
      assert.is(events.includes("unchanged"), i === 1, events.join());
    }
  });

  test("outputs of outputs of outputs, some of them addressed by their content", async () => {
    const floating = { out: { path: "", hashAlgorithm: "r:sha256", hash: "" } };
    const last = inner("last", "echo deep > $out; echo lib > $lib", {
      outputs: { ...floating, lib: floating.out },
    });
    const asText = { out: { path: "", hashAlgorithm: "text:sha256", hash: "" } };
    const middle = inner("last.drv", WRITE.replace("@", "+"), {
      outputs: asText,
      env: { term: formatDerivation(last).replaceAll("1", "+") },
    });
    const plan = await writing(middle);
    const deep = outputOf(outputOf(plan));
    const user = await script(`cat ${deep} ${outputOf(outputOf(plan), "lib")} > $out`, { name: "user-of-deep" });
    assert.is(await made(user), "deep\nlib\n");
    const drv = store.readDerivation(user.drvPath as StorePath);
    assert.equal(drv.nestedInputs, [
      { drvPath: plan.drvPath as StorePath, through: ["out", "out"], outputs: ["lib", "out"] },
    ]);
  });

  test("what was written may need outputs of outputs itself, and be needed by several", async () => {
    const leaf = await writing(inner("leaf", "echo leaf > $out"));
    const hole = downstreamPlaceholder(leaf.drvPath as StorePath, "out", "out");
    const drvPath = leaf.drvPath as StorePath;
    const branch = inner("branch", `cat ${hole} > $out; echo branch >> $out`, {
      inputDerivations: new Map([[drvPath, []]]),
      nestedInputs: [{ drvPath, through: ["out"], outputs: ["out"] }],
    });
    const plan = await writing(branch, { leaf: leaf.drvPath });
    const one = await script(`cat ${outputOf(plan)} > $out`, { name: "one" });
    const both = await script(`cat ${one} ${outputOf(plan)} ${outputOf(leaf)} > $out`, { name: "both" });
    const report = await build(both);
    assert.is(report.exitCode, 0, report.failures.map(({ error }) => error.message).join());
    assert.is(
      readFileSync(store.realPath(report.outputs[0] as StorePath), "utf8"),
      "leaf\nbranch\nleaf\nbranch\nleaf\n",
    );
    assert.equal(report.built.map(shortName).sort(), ["both", "branch", "branch.drv", "leaf", "leaf.drv", "one"]);
  });

  test("targets may be outputs of outputs", async () => {
    const plan = await writing(
      inner("target", "echo t > $out; echo d > $dev", {
        outputs: { out: { path: "", hashAlgorithm: "", hash: "" }, dev: { path: "", hashAlgorithm: "", hash: "" } },
      }),
    );
    const drvPath = plan.drvPath as StorePath;
    const target: BuildTarget = { drvPath, through: ["out"] };
    const dry = await buildPaths({ store, targets: [target], options: { dryRun: true } });
    assert.equal([dry.outputs, dry.followed.size, dry.plan.jobs.length], [[], 0, 2]);
    const report = await buildPaths({ store, targets: [target, { ...target, outputs: ["dev"] }], options: {} });
    assert.is(report.exitCode, 0);
    assert.equal(
      report.outputs.map((path) => readFileSync(store.realPath(path), "utf8")),
      ["d\n", "t\n", "d\n"],
    );
    const followed = report.followed.get(target);
    assert.match(followed?.drvPath ?? "", /-target\.drv$/);
    const rebuilt = await buildPaths({ store, targets: [target], options: { rebuild: true } });
    assert.equal([rebuilt.exitCode, rebuilt.plan.jobs.map(({ id }) => id)], [0, [followed?.drvPath]]);
  });

  test("a derivation that cannot be used fails what needs it, and says where it comes from", async () => {
    const plan = await writing(inner("used", "echo > $out"));
    const wrong = await faults(await script(`cat ${outputOf(plan, "dev")} > $out`, { name: "asks-for-dev" }));
    assert.equal([wrong.codes, wrong.lost], [["build.no-such-output"], ["asks-for-dev"]]);
    assert.match(wrong.error?.message ?? "", /output "dev" of ".*-used\.drv": it has the outputs out/);
    assert.match(
      wrong.error?.details?.join("\n") ?? "",
      /"[^"]*-used\.drv" is out of used\.drv \(".*-used\.drv\.drv"\)\n".*-asks-for-dev\.drv" needs it/,
    );
    // The same when the derivation is there already.
    assert.equal((await faults(await script(`cat ${outputOf(plan, "dev")} > $out`, { name: "asks-again" }))).codes, [
      "build.no-such-output",
    ]);

    const none = await script("echo nothing > $out", { name: "none.drv", ...text });
    const user = await faults(await script(`cat ${outputOf(none)} > $out`, { name: "user-of-none" }));
    assert.equal([user.codes, user.lost], [["build.not-a-derivation"], ["user-of-none"]]);

    // It states the paths of another name.
    const right = completeOutputs(inner("right", "echo > $out"), {
      inputs: makeInputHashes((path) => store.readDerivation(path)),
    });
    const term = hidden(right).replaceAll("/nix/store", "/nix/%tore");
    const misnamed = await script(WRITE.replace("@ 1", "@% 1s"), { name: "wrong.drv", env: { term }, ...text });
    const named = await faults(await script(`cat ${outputOf(misnamed)} > $out`, { name: "user-of-wrong" }));
    assert.equal(named.codes, ["build.not-a-derivation"]);
    assert.match(named.error?.hint ?? "", /says that it is "right".*"right\.drv"/);
  });

  test("an inner output that is no derivation by its name", async () => {
    const asText = { out: { path: "", hashAlgorithm: "text:sha256", hash: "" } };
    const plan = await writing(inner("no-plan", "echo > $out", { outputs: asText }));
    const user = await faults(await script(`cat ${outputOf(outputOf(plan))} > $out`, { name: "user-of-no-plan" }));
    assert.equal([user.codes, user.lost], [["build.not-a-plan"], ["user-of-no-plan"]]);
  });

  test("there is an end to derivations that are written by one another", async () => {
    const plan = await writing(inner("endless", "echo > $out"));
    const report = await build(plan);
    const drvPath = plan.drvPath as StorePath;
    const job = {
      kind: "follow",
      id: drvPath,
      drvPath,
      through: ["out"],
      outputs: ["out"],
      dependencies: [],
      rank: 0,
    } as const;
    const follow = (depth: number) =>
      followOutput({ ...job, neededBy: [], isTarget: true, depth }, report.outputs[0] as StorePath, {
        ...{
          store,
          outputs: new RealisedOutputs(store),
          derivations: undefined,
          options: {},
          refused: new Set<StorePath>(),
        },
      });
    assert.equal(
      (await follow(MOST_FOLLOWED)).plan.jobs.map(({ id }) => shortName(id)),
      ["endless"],
    );
    const error = await follow(MOST_FOLLOWED + 1).then(
      () => undefined,
      (thrown: unknown) => thrown as CodedError,
    );
    assert.is(error?.code, "build.plans-without-end");
  });

  test("failures: of the writer, of what was written; others go on", async () => {
    const failing = await script("echo no; exit 1", { name: "failing.drv", ...text });
    const user = await script(`cat ${outputOf(failing)} > $out`, { name: "user-of-failing" });
    assert.equal(await faults(user).then(({ codes, lost }) => [codes, lost]), [["build.failed"], ["user-of-failing"]]);
    const bad = await writing(inner("bad", "exit 3"));
    const good = await writing(inner("good", "echo good > $out"));
    const uses = await script(`cat ${outputOf(bad)} > $out`, { name: "user-of-bad" });
    const fine = await script(`cat ${outputOf(good)} > $out`, { name: "user-of-good" });
    const targets = [uses, fine].map(({ drvPath }) => ({ drvPath: drvPath as StorePath }));
    const report = await buildPaths({ store, targets, options: { keepGoing: true, maxJobs: 1 } });
    assert.equal(
      [report.failures.map(({ drvPath }) => shortName(drvPath)), report.dependencyFailed.map(shortName)],
      [["bad"], ["user-of-bad"]],
    );
    assert.ok(store.isValid(report.outputs.at(-1) as StorePath));
    assert.ok(report.built.map(shortName).includes("user-of-good"));
  });

  test.after(() => bench.close());
}

test.run();

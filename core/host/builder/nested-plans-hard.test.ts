import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type BuildEvent, shortName } from "../../build/index.ts";
import {
  type Derivation,
  type DerivationValue,
  formatDerivation,
  local,
  outputOf,
  placeholder,
  sortNested,
} from "../../derivation/index.ts";
import { publicKeyOf, type StorePath } from "../../store/index.ts";
import { FileTransport, openBinaryCache } from "../binary-cache/index.ts";
import { collectGarbage } from "../collector/index.ts";
import { verifyStore } from "../maintenance/index.ts";
import { generateSecretKey } from "../signing/index.ts";
import { copyPaths } from "../stores/index.ts";
import { openSubstituters } from "../substitute/index.ts";
import { type BuildOptions, buildPaths } from "./index.ts";
import { openBuildBench } from "./testdata/build-bench.ts";

/** Plans that builds produce in hard times, from other stores, and by a generator. */
const test = suite("plans that builds produce, at length");
const bench = await openBuildBench();

if (typeof bench === "string") {
  console.log(`skipped: ${bench}`);
} else {
  const { store, add, script, build, openOther, directory } = bench;
  const text = { contentAddressed: { method: "text", algorithm: "sha256" } } as const;
  const template = store.readDerivation((await script("true")).drvPath as StorePath);
  const [tools = "" as StorePath] = template.inputSources;

  function inner(name: string, words: string, env: Record<string, string> = {}): Derivation {
    const args = ["sh", "-ec", words];
    const outputs = { out: { path: "", hashAlgorithm: "", hash: "" } };
    return { ...template, name, args, outputs, env: { PATH: template.env["PATH"] as string, out: "", ...env } };
  }
  function writing(drv: Derivation, name = `${drv.name}.drv`): Promise<DerivationValue> {
    return script(`printf '%s' "$term" > $out`, { name, env: { term: formatDerivation(drv) }, ...text });
  }
  /** A builder's variables are looked at, and placeholders of its own outputs are replaced in them: a mark stands for a character of all these. */
  const hidden = (drv: Derivation, mark: string): string => formatDerivation(drv).replaceAll("1", mark);
  const write = (mark: string): string => `printf '%s' "$term" | tr ${mark} 1 > $out`;
  const hiding = (drv: Derivation, name: string, env: Record<string, unknown>): Promise<DerivationValue> =>
    script(write("@"), { name, env: { term: hidden(drv, "@"), ...env }, ...text });
  const built = (report: { readonly built: readonly StorePath[] }): string[] => report.built.map(shortName).sort();

  /** The folder of the documentation's example, with some files. */
  async function generated(name: string, files: Readonly<Record<string, string>>): Promise<DerivationValue> {
    const source = `${directory}/${name}`;
    mkdirSync(source);
    for (const [file, words] of Object.entries(files)) writeFileSync(`${source}/${file}`, words);
    return add({
      name: "app.drv",
      system: "x86_64-linux",
      builder: `${tools}/bin/sh`,
      args: [local(`${import.meta.dirname}/../../../docs/plans/generate.sh`)],
      outputs: ["out", "parts.drv"],
      env: {
        PATH: `${tools}/bin`,
        shell: tools,
        source: local(source, { name: "source" }),
        parts: placeholder("parts.drv"),
      },
      ...text,
    });
  }

  test("a generator writes a derivation for each file, and only what changed is built again", async () => {
    const files = { "a.txt": 'one "a"\n', "b-c.txt": "two \\ $b\n", "b.txt": "three\n" };
    const plan = await generated("texts", files);
    const user = await script(`cat ${outputOf(plan)} > $out`, { name: "user" });
    const report = await build(user);
    assert.is(
      report.exitCode,
      0,
      report.failures.map(({ error }) => `${error.message} ${error.details?.join()}`).join(),
    );
    assert.is(readFileSync(store.realPath(report.outputs[0] as StorePath), "utf8"), 'ONE "A"\nTWO \\ $B\nTHREE\n');
    const parts = ["app.drv-parts-a.txt", "app.drv-parts-b-c.txt", "app.drv-parts-b.txt"];
    assert.equal(built(report), ["app", "app.drv", "app.drv-parts", ...parts, "user"]);

    const changed = await generated("edited", { ...files, "b.txt": "four\n", "d.txt": "five\n" });
    const again = await build(await script(`cat ${outputOf(changed)} > $out`, { name: "user" }));
    assert.is(readFileSync(store.realPath(again.outputs[0] as StorePath), "utf8"), 'ONE "A"\nTWO \\ $B\nFOUR\nFIVE\n');
    const fresh = ["app.drv-parts-b.txt", "app.drv-parts-d.txt"];
    assert.equal(built(again), ["app", "app.drv", "app.drv-parts", ...fresh, "user"]);
  });

  test("plans and what was made of them come from other stores", async () => {
    const key = generateSecretKey("cache-1");
    const plan = await writing(inner("cached", "echo cached > $out"));
    const user = await script(`cat ${outputOf(plan)} > $out; echo used >> $out`, { name: "user-of-cached" });
    const report = await build(user);
    assert.is(report.exitCode, 0);
    const paths = report.events.flatMap((event) => (event.kind === "built" ? event.outputs : []));
    const [written, made, all] = ["-cached.drv", "-cached", "-user-of-cached"].map((end) =>
      paths.find((path) => path.endsWith(end)),
    );

    async function fromCache(given: readonly (StorePath | undefined)[], name: string) {
      const place = `${directory}/${name}`;
      const cache = await openBinaryCache({ transport: new FileTransport(place), secretKey: key }, { create: true });
      await copyPaths({ from: store, to: cache, paths: given as StorePath[], trusted: "all" });
      for (const path of given as StorePath[])
        for (const realisation of store.queryRealisationsOf(path)) await cache.addRealisation(realisation);
      const events: BuildEvent[] = [];
      const substituters = openSubstituters({
        settings: { substituters: [`file://${place}`], trustedKeys: [publicKeyOf(key)] },
        ...{ cwd: "/", warn: () => {}, signal: new AbortController().signal },
      });
      const into = await openOther();
      const options: BuildOptions = { substituters, events: (event) => void events.push(event) };
      const taken = await buildPaths({ store: into, targets: [{ drvPath: user.drvPath as StorePath }], options });
      assert.is(taken.exitCode, 0, taken.failures.map(({ error }) => error.message).join());
      assert.is(readFileSync(into.realPath(taken.outputs[0] as StorePath), "utf8"), "cached\nused\n");
      assert.equal(
        (await buildPaths({ store: into, targets: [{ drvPath: user.drvPath as StorePath }] })).plan.jobs,
        [],
      );
      return [
        built(taken),
        taken.substituted
          .map(shortName)
          .sort()
          .filter((each) => each !== "tools"),
      ];
    }
    assert.equal(await fromCache([written], "plan"), [["cached", "user-of-cached"], ["cached"]]);
    assert.equal(await fromCache([made], "made"), [["cached.drv", "user-of-cached"], ["cached"]]);
    assert.equal(await fromCache([written, made], "both"), [["user-of-cached"], ["cached", "cached"]]);
    assert.equal(await fromCache([all], "all"), [[], ["user-of-cached"]]);
  });

  test("what needs an object that no store gave is built, though a plan that wants it shows only after that", async () => {
    const shared = inner("shared", "echo shared > $out");
    const env = { term: formatDerivation(shared) };
    const users: DerivationValue[] = [];
    for (const words of ["", "sleep 2; "]) {
      const plan = await script(`${words}printf '%s' "$term" > $out`, { name: "shared.drv", env, ...text });
      users.push(await script(`cat ${outputOf(plan)} > $out`, { name: `user-${users.length}`, env: { words } }));
    }
    const key = generateSecretKey("cache-1");
    const place = `${directory}/broken`;
    const cache = await openBinaryCache({ transport: new FileTransport(place), secretKey: key }, { create: true });
    const report = await build(users[0] as DerivationValue);
    const paths = report.events.flatMap((event) => (event.kind === "built" ? event.outputs : []));
    const made = paths.filter((path) => path.endsWith("-shared"));
    await copyPaths({ from: store, to: cache, paths: made, trusted: "all" });
    for (const realisation of made.flatMap((path) => store.queryRealisationsOf(path)))
      await cache.addRealisation(realisation);
    for (const file of readdirSync(`${place}/nar`)) writeFileSync(`${place}/nar/${file}`, "broken");
    const events: BuildEvent[] = [];
    const substituters = openSubstituters({
      settings: { substituters: [`file://${place}`], trustedKeys: [publicKeyOf(key)] },
      ...{ cwd: "/", warn: () => {}, signal: new AbortController().signal },
    });
    const taken = await buildPaths({
      store: await openOther(),
      targets: users.map(({ drvPath }) => ({ drvPath: drvPath as StorePath })),
      options: { substituters, maxJobs: 2, cores: 1, events: (event) => void events.push(event) },
    });
    assert.ok(events.some(({ kind }) => kind === "transfer-failed"));
    assert.equal([taken.exitCode, taken.dependencyFailed.map(shortName)], [0, []]);
    assert.equal(built(taken), ["shared", "shared.drv", "shared.drv", "user-0", "user-1"]);
  });

  test("random plans in plans give what the graph gives that shows in the end", async () => {
    const node = fc.record({ needs: fc.array(fc.nat(4), { maxLength: 3 }), levels: fc.integer({ min: 0, max: 2 }) });
    const graphs = fc.sample(fc.array(node, { minLength: 3, maxLength: 5 }), { numRuns: 6, seed: 20 });
    for (const [g, nodes] of graphs.entries()) {
      const expected: string[] = [];
      const made: { readonly drvPath: StorePath; readonly through: readonly string[]; readonly text: string }[] = [];
      for (const [i, { needs, levels }] of nodes.entries()) {
        const before = [...new Set(needs.filter((each) => each < i))];
        const name = `g${g}n${i}`;
        expected.push(`${before.map((each) => expected[each]).join("")}${name};`);
        const words = (holes: readonly string[]): string =>
          `cat ${[...holes, "/dev/null"].join(" ")} > $out; printf '%s;' ${name} >> $out`;
        const inputs = before.map((each) => made[each] as (typeof made)[number]);
        if (levels === 0) {
          const value = await script(words(inputs.map((each) => each.text)), { name });
          made.push({ drvPath: value.drvPath as StorePath, through: [], text: value.outPath });
          continue;
        }
        const nested = inputs.filter((each) => each.through.length > 0);
        const drv: Derivation = {
          ...inner(name, words(inputs.map((each) => each.text))),
          inputDerivations: new Map(inputs.map((each) => [each.drvPath, each.through.length === 0 ? ["out"] : []])),
          ...(nested.length === 0
            ? {}
            : { nestedInputs: sortNested(nested.map((each) => ({ ...each, outputs: ["out"] }))) }),
        };
        // Who writes that down has to have the files of what it needs.
        const files = inputs.map((each) => each.drvPath);
        const env = Object.fromEntries(files.map((path, at) => [`input${at}`, path]));
        let value = await hiding(drv, `${name}.drv`, env);
        let text = outputOf(value);
        const through = ["out"];
        if (levels === 2) {
          const between: Derivation = {
            ...inner(`${name}.drv`, write("+"), { term: hidden(drv, "+"), out: placeholder("out") }),
            inputSources: [tools, ...files],
            outputs: { out: { path: "", hashAlgorithm: "text:sha256", hash: "" } },
          };
          value = await hiding(between, `${name}.drv.drv`, env);
          text = outputOf(outputOf(value));
          through.push("out");
        }
        made.push({ drvPath: value.drvPath as StorePath, through, text });
      }
      const user = await script(`cat ${made.map((each) => each.text).join(" ")} > $out`, { name: `g${g}` });
      const report = await build(user);
      assert.is(
        report.exitCode,
        0,
        report.failures.map(({ error }) => `${error.message} ${error.details?.join()}`).join(),
      );
      assert.is(readFileSync(store.realPath(report.outputs[0] as StorePath), "utf8"), expected.join(""));
    }
  });

  /** Several plans and what needs them, of which nothing is built yet. */
  async function several(mark: string): Promise<DerivationValue> {
    const plans = [];
    for (let i = 0; i < 4; i++)
      plans.push(await writing(inner(`${mark}-${i}`, `sleep 0.0${i}; echo ${mark} ${i} > $out`)));
    return script(`cat ${plans.map((plan) => outputOf(plan)).join(" ")} > $out`, { name: `${mark}-all` });
  }

  test("a run that is killed at any moment leaves nothing wrong, and the next one ends it", async () => {
    const value = await several("killed");
    const program = `${import.meta.dirname}/testdata/build-once.ts`;
    let kills = 0;
    for (let isDone = false; !isDone && kills < 40; ) {
      const words = ["--disable-warning=ExperimentalWarning", program, store.root, value.drvPath];
      const child = spawn(process.execPath, words, { stdio: "ignore" });
      const ended = new Promise<number | null>((resolve) => void child.once("exit", resolve));
      const timer = setTimeout(() => child.kill("SIGKILL"), kills * 80 + Math.random() * 100);
      isDone = (await ended) === 0;
      clearTimeout(timer);
      if (!isDone) kills++;
      assert.equal((await verifyStore(store, { contents: true })).faults, [], `after ${kills} kills`);
    }
    assert.ok(kills > 0);
    const report = await build(value);
    assert.is(report.exitCode, 0);
    assert.is(
      readFileSync(store.realPath(report.outputs[0] as StorePath), "utf8"),
      "killed 0\nkilled 1\nkilled 2\nkilled 3\n",
    );
  });

  test("a collection meanwhile takes nothing away that was found", async () => {
    const value = await several("collected");
    let isOver = false;
    // Programs of this machine are none of the test's.
    const proc = `${directory}/proc`;
    mkdirSync(proc);
    const collecting = (async () => {
      let rounds = 0;
      for (; !isOver; rounds++) {
        await collectGarbage({ root: store.root, proc });
        await pause(20);
      }
      return rounds;
    })();
    store.addTempRoot(value.drvPath);
    const report = await build(value);
    isOver = true;
    assert.ok((await collecting) > 0);
    assert.is(report.exitCode, 0, report.failures.map(({ error }) => error.message).join());
    assert.ok(store.isValid(report.outputs[0] as StorePath));
  });

  test("a run that is cancelled while it follows ends soon, without failures", async () => {
    const plan = await writing(inner("slow", "sleep 60"));
    const user = await script(`cat ${outputOf(plan)} > $out`, { name: "user-of-slow" });
    const abort = new AbortController();
    const started = performance.now();
    const report = await buildPaths({
      store,
      targets: [{ drvPath: user.drvPath as StorePath }],
      options: {
        signal: abort.signal,
        events: (event) => event.kind === "started" && shortName(event.drvPath) === "slow" && abort.abort(),
      },
    });
    assert.ok(performance.now() - started < 30_000);
    assert.equal([report.exitCode, report.cancelled, report.failures], [130, true, []]);
  });

  test.after(() => bench.close());
}

test.run();

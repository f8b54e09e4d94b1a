import { spawnSync } from "node:child_process";
import { lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { DerivationOptions, DerivationValue } from "../../derivation/index.ts";
import {
  formatKey,
  formatRealisation,
  isVerifiablyContentAddressed,
  type PathInfo,
  publicKeyOf,
  type StorePath,
} from "../../store/index.ts";
import { FileTransport, openBinaryCache } from "../binary-cache/index.ts";
import { type LocalStore, openLocalStore } from "../local-store/index.ts";
import { generateSecretKey } from "../signing/index.ts";
import { copyPaths } from "../stores/index.ts";
import { openSubstituters } from "../substitute/index.ts";
import { openBuildBench } from "./testdata/build-bench.ts";
import { buildPaths, type BuildOptions } from "./build-paths.ts";

const test = suite("content-addressed derivations");
const bench = await openBuildBench();
const hasNix = spawnSync("nix", ["--version"]).status === 0;

if (typeof bench === "string") {
  console.log(`skipped: ${bench}`);
} else {
  const { store, openOther, script } = bench;
  const floating = (text: string, options: Partial<DerivationOptions> = {}): Promise<DerivationValue> =>
    script(text, { contentAddressed: true, ...options });

  async function build(values: readonly DerivationValue[], into: LocalStore = store, options: BuildOptions = {}) {
    const kinds: string[] = [];
    const report = await buildPaths({
      store: into,
      targets: values.map(({ drvPath }) => ({ drvPath: drvPath as StorePath })),
      options: {
        maxJobs: 2,
        cores: 1,
        ...options,
        events: (event) => {
          if (event.kind === "built" || event.kind === "unchanged")
            kinds.push(`${event.kind} ${event.drvPath.slice(44, -4)}`);
        },
      },
    });
    return { ...report, kinds: kinds.sort() };
  }
  /** Build and give the outputs by name. */
  async function made(value: DerivationValue, into = store): Promise<Record<string, StorePath>> {
    const report = await build([value], into);
    assert.is(report.exitCode, 0, report.failures.map(({ error }) => error.message).join());
    return Object.fromEntries(report.plan.wanted.map(({ output }, i) => [output, report.outputs[i] as StorePath]));
  }
  const leftovers = () => readdirSync(store.realStoreDirectory).filter((name) => /\.(chroot|lock|check)$/.test(name));
  const text = (path: string | undefined) => readFileSync(store.realPath(path ?? ""), "utf8");
  const info = (path: string | undefined) => store.queryPathInfo(path as StorePath) as PathInfo;

  test("an output gets the path that follows from its content, and is found again", async () => {
    const value = await floating("echo same > $out", { name: "plain" });
    assert.match(value.outPath, /^\/[0-9a-z]{52}$/);
    const { out } = await made(value);
    assert.is(text(out), "same\n");
    assert.ok(isVerifiablyContentAddressed(info(out)));
    assert.equal([info(out).ultimate, info(out).deriver, info(out).references], [true, value.drvPath, []]);
    assert.is(lstatSync(store.realPath(out as string)).mode & 0o777, 0o444);
    assert.equal((await build([value])).plan.jobs, []);
    // Another way to the same content.
    const other = await floating("x=same; echo $x > $out", { name: "plain" });
    assert.equal(await made(other), { out });
    assert.equal(leftovers(), []);
  });

  test("an output mentions its own final path in contents, names and links", async () => {
    const value = await floating(
      `mkdir $out; echo $out/x > $out/f; ln -s $out/f $out/l; n=\${out#/nix/store/}; echo n > "$out/x-$n"`,
      { name: "self" },
    );
    const { out = "" } = await made(value);
    const real = store.realPath(out);
    assert.is(text(`${out}/f`), `${out}/x\n`);
    assert.is(readlinkSync(`${real}/l`), `${out}/f`);
    assert.equal(readdirSync(real).sort(), ["f", "l", `x-${out.slice("/nix/store/".length)}`]);
    assert.equal(info(out).references, [out]);
    assert.ok(isVerifiablyContentAddressed(info(out)));
    // It is taken in elsewhere, where contents and path are compared.
    const other = await openOther();
    await other.importNar(info(out), store.readNar(out as StorePath));
    assert.ok(other.isValid(out));
  });

  test("outputs mention each other in one direction", async () => {
    const value = await floating("echo $lib > $out; echo $doc $lib > $lib; echo doc > $doc", {
      name: "multi",
      outputs: ["out", "lib", "doc"],
    });
    const { out, lib, doc } = await made(value);
    assert.is(text(out), `${lib}\n`);
    assert.is(text(lib), `${doc} ${lib}\n`);
    assert.equal(info(lib).references, [doc, lib].sort());
    assert.equal(info(out).references, [lib]);
  });

  test("outputs that mention each other both ways are refused, of every kind", async () => {
    for (const contentAddressed of [true, false]) {
      const options = { name: "cycle", outputs: ["out", "dev"], contentAddressed };
      const value = await script("echo $dev > $out; echo $out > $dev", options);
      const report = await build([value]);
      assert.equal(
        report.failures.map(({ error }) => [error.code, error.exitCode]),
        [["build.output-cycle", 100]],
      );
    }
    assert.equal(leftovers(), []);
  });

  test("what depends on such an output is built with its path, and not again when the output stays", async () => {
    const middle = (input: DerivationValue) =>
      floating(`read x < ${input}; echo $x ${input} > $out`, { name: "middle" });
    const deferred = (input: DerivationValue) =>
      script(`echo ${input} > $out; echo $out >> $out`, { name: "deferred" });
    const first = await floating("echo input > $out # one", { name: "input" });
    const top = await deferred(await middle(first));
    const { out } = await made(top);
    const input = text((text(out).split("\n")[0] as string) ?? "");
    assert.match(input, /^input \/nix\/store\/[0-9a-z]{32}-input\n$/);
    assert.equal(text(out).split("\n")[1], out);
    assert.equal(info(out).ca, undefined);

    // The input is written in another way and comes out the same: nothing else is built.
    const second = await floating("echo input > $out # two", { name: "input" });
    const again = await build([await deferred(await middle(second))]);
    assert.equal(again.kinds, ["built input", "unchanged deferred", "unchanged middle"]);
    assert.equal(again.outputs, [out]);
    assert.equal(again.built, [second.drvPath]);
    assert.equal((await build([await deferred(await middle(second))])).plan.jobs, []);

    // It comes out differently: all of it is built.
    const third = await floating("echo changed > $out", { name: "input" });
    const changed = await build([await deferred(await middle(third))]);
    assert.equal(changed.kinds, ["built deferred", "built input", "built middle"]);
  });

  test("flat and other hashes; a flat output is a single file that refers to nothing", async () => {
    const flat = { name: "flat", contentAddressed: { method: "flat", algorithm: "sha256" } } as const;
    const { out } = await made(await floating("echo flat > $out", flat));
    assert.match(info(out).ca ?? "", /^fixed:sha256:/);
    const sha512 = { name: "sha512", contentAddressed: { method: "recursive", algorithm: "sha512" } } as const;
    assert.match(info((await made(await floating("echo x > $out", sha512)))["out"]).ca ?? "", /^fixed:r:sha512:/);
    const codes = async (builder: string) =>
      (await build([await floating(builder, flat)])).failures.map(({ error }) => [error.code, error.exitCode]);
    assert.equal(await codes("mkdir $out"), [["build.not-flat", 100]]);
    assert.equal(await codes("echo $out > $out"), [["content-address.references", 100]]);
  });

  test("a fixed output may depend on one that is addressed by its content", async () => {
    const input = await floating("echo fixed > $out", { name: "fixed-input" });
    const value = await script(`cat ${input} > $out`, {
      name: "fixed",
      fixed: { method: "flat", hash: "sha256-DDBxQY5jVuYUiYyE7QZMqV6IVRvAgRtTS98ZUuza5TQ=" },
    });
    assert.equal(await made(value), { out: value.outPath });
  });

  test("structured attributes name the places outputs are written to", async () => {
    const value = await floating(`. ./.attrs.sh; echo $PATH > /dev/null; echo structured > \${outputs[out]:-$out}`, {
      name: "structured",
      structuredAttrs: { x: 1 },
      args: [
        "sh",
        "-ec",
        `read -r j < "$NIX_ATTRS_JSON_FILE" || true; o=\${j#*'"outputs":{"out":"'}; echo s > \${o%%'"'*}`,
      ],
    });
    assert.is(text((await made(value))["out"]), "s\n");
  });

  test("rules are checked with the final paths", async () => {
    const value = await floating("echo $dev > $out; echo $dev > $dev", {
      name: "rules",
      outputs: ["out", "dev"],
      env: { allowedReferences: ["dev"] },
    });
    assert.is((await build([value])).exitCode, 0);
    const strict = await floating("echo $dev > $out; echo x > $dev", {
      name: "rules",
      outputs: ["out", "dev"],
      env: { disallowedReferences: ["dev"] },
    });
    assert.equal(
      (await build([strict])).failures.map(({ error }) => error.code),
      ["build.forbidden-reference"],
    );
  });

  test("building again compares with what was made before", async () => {
    const steady = await floating("echo steady > $out", { name: "steady" });
    const moving = await floating("read now < /proc/sys/kernel/random/uuid; echo $now > $out", { name: "moving" });
    await build([steady, moving]);
    const report = await build([steady, moving], store, { rebuild: true, keepGoing: true });
    assert.equal(
      report.failures.map(({ drvPath, error }) => [drvPath, error.code]),
      [[moving.drvPath, "build.not-deterministic"]],
    );
  });

  const key = generateSecretKey("cache-1");
  /** Build elsewhere, taking from a cache in a directory. */
  async function buildFrom(cache: string, values: readonly DerivationValue[], trustedKeys = [publicKeyOf(key)]) {
    const warnings: string[] = [];
    const substituters = openSubstituters({
      settings: { substituters: [`file://${cache}`], trustedKeys },
      cwd: "/",
      warn: (message) => void warnings.push(message),
      signal: new AbortController().signal,
    });
    const into = await openOther();
    const report = await build(values, into, { substituters });
    return { ...report, into, warnings };
  }

  test("outputs come from another store that says what they became, if it is believed", async () => {
    const input = await floating("echo cached > $out", { name: "cached-input" });
    const middle = await floating(`echo ${input} $out > $out`, { name: "cached-middle" });
    const top = await script(`echo ${middle} > $out`, { name: "cached-top" });
    const { out = "" } = await made(top);
    const directory = `${bench.directory}/cache`;
    const cache = await openBinaryCache({ transport: new FileTransport(directory), secretKey: key }, { create: true });
    await copyPaths({ from: store, to: cache, paths: [out as StorePath], trusted: "all" });
    for (const path of store.closure([out as StorePath]))
      for (const realisation of store.queryRealisationsOf(path)) await cache.addRealisation(realisation);

    const { into, ...report } = await buildFrom(directory, [top]);
    assert.equal([report.exitCode, report.built, report.outputs, report.warnings], [0, [], [out], []]);
    assert.equal(report.substituted.at(-1), out);
    assert.is(into.findOutput(into.readDerivation(top.drvPath), "out"), out);
    assert.equal((await build([top], into)).plan.jobs, []);

    const foreign = await buildFrom(directory, [top], [publicKeyOf(generateSecretKey("other-1"))]);
    assert.equal([foreign.exitCode, foreign.substituted], [0, []]);
    assert.match(
      foreign.warnings.join("\n"),
      /Cannot trust what it says of "sha256:[0-9a-f]{64}!out": no key of other-1 signed it/,
    );
  });

  if (!hasNix) console.log("skipped: nix is not on the PATH, so real Nix cannot be asked");
  else {
    const features = ["--extra-experimental-features", "ca-derivations nix-command"];
    function nix(root: string, program: string, ...words: string[]): string {
      const { status, stdout, stderr } = spawnSync(
        program,
        [
          ...words,
          "--store",
          root,
          ...features,
          "--option",
          "sandbox",
          "true",
          "--option",
          "sandbox-fallback",
          "false",
        ],
        {
          encoding: "utf8",
          env: { ...process.env, NIX_REMOTE: "", NIX_CONFIG: "build-users-group =\nsubstituters =" },
        },
      );
      assert.is(status, 0, `${program} ${words.join(" ")}: ${stderr}`);
      return stdout.trim();
    }
    /** A graph with everything in it. */
    async function graph() {
      const plain = await script("echo ia > $out", { name: "ia" });
      const input = await floating("echo input > $out", { name: "ca-input" });
      const self = await floating("mkdir $out; echo $out/x > $out/f; ln -s $out/f $out/l", { name: "ca-self" });
      const multi = await floating(`echo $lib > $out; echo $doc ${input} $lib ${plain} > $lib; echo doc > $doc`, {
        name: "ca-multi",
        outputs: ["out", "lib", "doc"],
      });
      const flat = await floating("echo flat > $out", {
        name: "ca-flat",
        contentAddressed: { method: "flat", algorithm: "sha256" },
      });
      const deferred = await script(`echo ${multi} ${self} ${plain} ${flat} > $out; echo $out >> $out`, {
        name: "deferred",
      });
      return [plain, input, self, multi, flat, deferred];
    }
    const facts = (into: LocalStore, values: readonly DerivationValue[]) =>
      values.flatMap(({ drvPath }) => {
        const drv = into.readDerivation(drvPath);
        const ids = into.realisationIds(drv);
        return Object.keys(drv.outputs).map((name) => {
          const found = into.queryRealisation(ids.get(name) ?? "");
          const path = into.findOutput(drv, name) as StorePath;
          const { narHash, references, ca } = into.queryPathInfo(path) as PathInfo;
          return {
            path,
            narHash,
            references,
            ca,
            realisation: found === undefined ? undefined : formatRealisation(found),
          };
        });
      });

    test("Nix builds the same derivations to the same outputs with the same realisations", async () => {
      const values = await graph();
      const empty = await openOther();
      const { root } = empty;
      // Nix makes its tables while nobody else has the store open.
      empty.close();
      for (const { drvPath } of values) nix(root, "nix-store", "--realise", drvPath);
      using theirs = openLocalStore({ root });
      const ours = await openOther();
      assert.is((await build(values, ours)).exitCode, 0);
      // Plain derivations have a realisation in Nix in any case, in ours where something depends on it.
      assert.equal(facts(ours, values), facts(theirs, values));
    });

    test("what Nix copied to a cache is taken from there", async () => {
      const values = await graph();
      const shared = await openOther();
      assert.is((await build(values, shared)).exitCode, 0);
      shared.close();
      const keyFile = `${bench.directory}/nix-key`;
      writeFileSync(keyFile, formatKey(key));
      const directory = `${bench.directory}/nix-cache`;
      const to = `file://${directory}?secret-key=${keyFile}`;
      nix(shared.root, "nix", "copy", "--to", to, ...values.map(({ drvPath }) => drvPath));
      // It signs the objects it copies, and not what they became.
      const report = await buildFrom(`${directory}?trusted=1`, values);
      assert.equal([report.exitCode, report.built, report.warnings], [0, [], []]);
      assert.ok(report.substituted.length >= values.length);
    });

    test("Nix and we go on with what the other has built, in one store", async () => {
      const values = await graph();
      const [plain, input, self, multi, flat, deferred] = values as [
        DerivationValue,
        DerivationValue,
        DerivationValue,
        DerivationValue,
        DerivationValue,
        DerivationValue,
      ];
      const shared = await openOther();
      assert.is((await build([plain, input], shared)).exitCode, 0);
      nix(shared.root, "nix-store", "--realise", multi.drvPath);
      const last = await build([self, flat, deferred], shared);
      assert.equal(last.kinds, ["built ca-flat", "built ca-self", "built deferred"]);
      assert.equal((await build(values, shared)).plan.jobs, []);
      nix(shared.root, "nix-store", "--verify", "--check-contents");
      const shown = JSON.parse(nix(shared.root, "nix", "realisation", "info", "--json", `${input.drvPath}`)) as {
        outPath: string;
      }[];
      assert.is(`/nix/store/${shown[0]?.outPath}`, shared.findOutput(shared.readDerivation(input.drvPath), "out"));
      // And Nix finds everything done.
      for (const { drvPath } of values) nix(shared.root, "nix-store", "--realise", drvPath, "--max-jobs", "0");
      shared.close();
      nix(shared.root, "nix-store", "--gc");
      nix(shared.root, "nix-store", "--verify", "--check-contents");
    });
  }

  test.after(() => bench.close());
}

test.run();

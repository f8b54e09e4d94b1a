import { spawn, spawnSync } from "node:child_process";
import { existsSync, lstatSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { formatHash } from "../../base/index.ts";
import type { PathInfo, StorePath } from "../../store/index.ts";
import { WireReader } from "../../store/wire/index.ts";
import { openLocalStore } from "../local-store/index.ts";
import { buildPaths } from "./build-paths.ts";
import { type BuildBench, openBuildBench } from "./testdata/build-bench.ts";

/** Real Nix and Floe build, add and collect in one store: each what the other wrote, and both at once. */
interface Context {
  bench: BuildBench;
}
const test = suite<Context>("a store shared with Nix");

const present = spawnSync("nix-store", ["--version"]).status === 0;
const opened = present ? await openBuildBench() : "nix-store is not on the PATH, so real Nix cannot be asked";
const referee = typeof opened === "string" ? test.skip : test;
if (typeof opened === "string") console.log(`skipped: ${opened}`);
test.before((context) => {
  if (typeof opened !== "string") context.bench = opened;
});
test.after(() => {
  if (typeof opened !== "string") opened.close();
});

const env = {
  ...process.env,
  NIX_REMOTE: "",
  NIX_CONFIG: "experimental-features = nix-command\nsandbox = true\nsubstitute = false\nbuild-users-group =",
};

function nix({ store }: BuildBench, program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, [...args, "--store", store.root], { encoding: "utf8", env });
  assert.is(status, 0, `${program} ${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}

/** Our hold on the collector's lock ends a moment after the last temporary root, when we get to it. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 400));
}

const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");
const SCRIPT =
  "mkdir -p $out/bin; echo $out > $out/self; echo tool > $out/bin/tool; chmod +x $out/bin/tool; ln -s bin/tool $out/link";

referee("Nix builds a derivation that Floe wrote, and Floe gets the same", async ({ bench }) => {
  const { store } = bench;
  const value = await bench.script(SCRIPT, { name: "ours" });
  const out = value.outPath as StorePath;
  assert.is(nix(bench, "nix-store", "--realise", value.drvPath), out);
  const ofNix = store.queryPathInfo(out);
  assert.is(ofNix?.deriver, value.drvPath);
  assert.equal(ofNix?.references, [out]);
  await settle();
  nix(bench, "nix-store", "--delete", out);
  assert.not(store.isValid(out));
  assert.equal((await bench.build(value)).built, [value.drvPath]);
  const ofFloe = store.queryPathInfo(out);
  assert.equal({ ...ofFloe, registrationTime: 0 }, { ...ofNix, registrationTime: 0 });
  assert.is(nix(bench, "nix-build", value.drvPath, "--check", "--no-out-link"), out);
  nix(bench, "nix-store", "--verify", "--check-contents");
});

referee("Floe builds a derivation that Nix wrote, and Nix finds it built", async ({ bench }) => {
  const { store, directory } = bench;
  const tools = store.allPaths().find((path) => path.endsWith("-tools")) as StorePath;
  const file = join(directory, "theirs.nix");
  writeFileSync(
    file,
    `let tools = builtins.storePath ${tools}; in derivation { name = "theirs"; system = "x86_64-linux"; builder = "\${tools}/bin/busybox"; PATH = "\${tools}/bin"; args = [ "sh" "-ec" ''${SCRIPT}'' ]; }`,
  );
  const drvPath = nix(bench, "nix-instantiate", file) as StorePath;
  const report = await buildPaths({ store, targets: [{ drvPath }], options: { maxJobs: 1, cores: 1 } });
  assert.equal(report.built, [drvPath]);
  const [out] = lines(nix(bench, "nix-store", "--query", "--outputs", drvPath)) as StorePath[];
  const dry = spawnSync("nix-store", ["--realise", "--dry-run", drvPath, "--store", store.root], {
    encoding: "utf8",
    env,
  });
  assert.not.match(dry.stderr, "will be built");
  // Nix builds it a second time and compares.
  assert.is(nix(bench, "nix-build", drvPath, "--check", "--no-out-link"), out);
  nix(bench, "nix-store", "--verify", "--check-contents");
});

referee("Nix reads, copies, exports and lists as dead what Floe built", async ({ bench }) => {
  const { store, directory } = bench;
  const first = await bench.script(SCRIPT, { name: "first" });
  const second = await bench.script(`${SCRIPT}; echo ${first.outPath} > $out/first`, { name: "second" });
  await bench.build(second);
  const [one, two] = [first.outPath as StorePath, second.outPath as StorePath];
  assert.equal(lines(nix(bench, "nix-store", "-qR", two)).sort(), [one, two].sort());
  assert.equal(lines(nix(bench, "nix-store", "-q", "--referrers", one)).sort(), store.queryReferrers(one));
  assert.is(nix(bench, "nix-store", "-q", "--deriver", two), second.drvPath);
  const sizes = lines(nix(bench, "nix", "path-info", "-rsSh", two));
  assert.is(sizes.length, 2);
  const info = JSON.parse(nix(bench, "nix", "path-info", "--json", two)) as [
    { narHash: string; references: string[]; ultimate: boolean },
  ];
  assert.is(info[0].narHash, formatHash((store.queryPathInfo(two) as PathInfo).narHash, "sri"));
  assert.equal([info[0].references.sort(), info[0].ultimate], [[one, two].sort(), true]);

  const copy = join(directory, "copy");
  const copied = spawnSync("nix", ["copy", "--from", store.root, "--to", copy, two, "--no-check-sigs"], {
    encoding: "utf8",
    env,
  });
  assert.is(copied.status, 0, copied.stderr);
  const stream = spawnSync("nix-store", ["--store", copy, "--export", one, two], { env, maxBuffer: 1 << 28 });
  const imported = spawnSync("nix-store", ["--store", join(directory, "imported"), "--import"], {
    env,
    input: stream.stdout,
  });
  assert.equal(lines(String(imported.stdout)).sort(), [one, two].sort());

  // In a store that nobody uses any more, all of it is dead.
  const left = openLocalStore({ root: join(directory, "left") });
  await left.importStream(new WireReader(Readable.from([stream.stdout])));
  left.close();
  const dead = spawnSync("nix-store", ["--gc", "--print-dead", "--store", left.root], { encoding: "utf8", env });
  assert.equal(lines(dead.stdout).sort(), [one, two].sort(), dead.stderr);
});

/** A child that adds, takes in and builds with Floe, over and over. */
function floeWorker(
  root: string,
  name: string,
  drvPaths: readonly string[],
  stream: string,
  until: number,
): Promise<void> {
  const script = `
    import { createReadStream } from "node:fs";
    import { openLocalStore } from ${JSON.stringify(join(import.meta.dirname, "../local-store/index.ts"))};
    import { buildPaths } from ${JSON.stringify(join(import.meta.dirname, "build-paths.ts"))};
    import { WireReader } from ${JSON.stringify(join(import.meta.dirname, "../../store/wire/index.ts"))};
    import { writeFileSync } from "node:fs";
    const [root, name, stream, until, ...drvPaths] = process.argv.slice(1);
    for (let round = 0; Date.now() < Number(until); round++) {
      const store = openLocalStore({ root });
      writeFileSync(stream + name, "shared " + round % 3);
      const path = await store.addTree({ name: "shared", from: stream + name });
      store.addText("of-" + name + "-" + round, path, [path]);
      await store.importStream(new WireReader(createReadStream(stream)));
      const targets = drvPaths.filter((drvPath) => store.isValid(drvPath)).map((drvPath) => ({ drvPath }));
      const report = await buildPaths({ store, targets, options: { maxJobs: 1, cores: 1 } });
      if (report.exitCode !== 0) throw new Error("build failed with " + report.exitCode);
      store.close();
    }
  `;
  return run(process.execPath, [
    "--disable-warning=ExperimentalWarning",
    "--input-type=module",
    "-e",
    script,
    "--",
    root,
    name,
    stream,
    String(until),
    ...drvPaths,
  ]);
}

/**
 * The same with real Nix, which also collects. For roots it looks at all processes of the machine, and fails at one whose folder has a longer
 * name than a link can tell, as a process of another test may have: then it collects the next time, and has to have done so in the end.
 */
function nixWorker(
  root: string,
  name: string,
  drvPaths: readonly string[],
  stream: string,
  until: number,
): Promise<void> {
  const script = `
    set -eu; export NIX_REMOTE=
    store="--store ${root}"; i=0; collected=0
    while [ "$(date +%s)" -lt ${Math.floor(until / 1000)} ]; do
      mkdir -p ${stream}${name}; printf 'shared %s' $((i % 3)) > ${stream}${name}/shared
      nix-store $store --add ${stream}${name}/shared
      nix-store $store --import < ${stream}
      nix-store $store --realise ${drvPaths.join(" ")}
      if nix-store $store --gc --max-freed 20000 2>${stream}${name}/words; then collected=$((collected+1))
      elif ! grep -q "reading symlink: File name too long" ${stream}${name}/words; then cat ${stream}${name}/words >&2; exit 1; fi
      i=$((i+1))
    done
    [ $collected -gt 0 ] || { echo "no collection of $i succeeded" >&2; exit 1; }`;
  return run("sh", ["-c", script]);
}

function run(program: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: ["ignore", "ignore", "pipe"] });
    let words = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      words += text;
    });
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0 ? resolve() : reject(new Error(`${program} ended with ${code}: ${words.slice(-3000)}`)),
    );
  });
}

referee("both at once: adding, taking in, building and collecting leaves a whole store", async ({ bench }) => {
  const { store, directory } = bench;
  const values = [];
  for (let i = 0; i < 3; i++)
    values.push(await bench.script(`${SCRIPT}; echo ${i} > $out/number`, { name: `both-${i}` }));
  const drvPaths = values.map(({ drvPath }) => drvPath);
  // The derivations are kept; what they make may go and come again.
  for (const [i, drvPath] of drvPaths.entries()) {
    const link = join(store.stateDirectory, `gcroots/both-${i}`);
    if (!existsSync(link)) symlinkSync(drvPath, link);
  }
  const stream = join(directory, "stream");
  const source = openLocalStore({ root: join(directory, "stream-source") });
  const paths = await source.batch(() =>
    Array.from({ length: 40 }, (_, i) => source.addText(`streamed-${i}`, `${i}`.repeat(i), [])),
  );
  source.close();
  const exported = spawnSync("nix-store", ["--store", join(directory, "stream-source"), "--export", ...paths], {
    env,
    maxBuffer: 1 << 28,
  });
  writeFileSync(stream, exported.stdout);
  const until = Date.now() + 6000;
  await Promise.all([
    floeWorker(store.root, "a", drvPaths, stream, until),
    floeWorker(store.root, "b", drvPaths, stream, until),
    nixWorker(store.root, "c", drvPaths, stream, until),
    nixWorker(store.root, "d", drvPaths, stream, until),
  ]);
  const verified = spawnSync("nix-store", ["--verify", "--check-contents", "--store", store.root], {
    encoding: "utf8",
    env,
  });
  assert.is(verified.status, 0, verified.stderr);
  assert.not.match(verified.stderr, /disappeared|modified|error/);
  for (const path of store.allPaths()) {
    const stat = lstatSync(store.realPath(path));
    assert.is(stat.mtimeMs, 1000, path);
  }
  assert.is(readFileSync(join(store.stateDirectory, "db/schema"), "utf8"), "10");
});

test.run();

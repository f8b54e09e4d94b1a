import { spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import { type StorePath, storePathBaseName } from "../../store/index.ts";
import { lockFileSync, openLocalStore } from "../local-store/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { openGcSocket } from "./gc-socket.ts";
import { type CollectOptions, collectGarbage, deletePaths } from "./index.ts";

const test = suite<ReturnType<typeof openTemporaryStore> & { readonly options: CollectOptions }>("collector");
test.before.each((context) => {
  Object.assign(context, openTemporaryStore());
  // Programs of this machine are none of the test's.
  mkdirSync(join(context.folder, "proc"));
  Object.assign(context, { options: { root: context.store.root, proc: join(context.folder, "proc") } });
});
test.after.each((context) => context.close());

const failsWith = async (expected: string, run: Promise<unknown>): Promise<void> => {
  const error = await run.then(
    () => undefined,
    (fault: CodedError) => fault,
  );
  assert.is(error?.code, expected);
};

test("collectGarbage() deletes what no root keeps, and says so beforehand", async ({ store, options, folder }) => {
  const lib = store.addText("lib", "lib", []);
  const app = store.addText("app", lib, [lib]);
  const old = store.addText("old", lib, [lib]);
  store.addIndirectRoot(join(folder, "result"), app);
  store.close();
  const planned = await collectGarbage({ ...options, dryRun: true });
  assert.equal([planned.live, planned.dead, planned.deleted], [[lib, app], [old], 1]);
  const done = await collectGarbage(options);
  assert.equal([done.live, done.dead, done.deleted], [[lib, app], [old], 1]);
  assert.is(done.freedBytes, planned.freedBytes);
  assert.equal(readdirSync(store.realStoreDirectory).sort(), [lib, app].map(storePathBaseName).sort());
  assert.equal((await collectGarbage(options)).dead, []);
});

test("trees go as well, read-only and deep ones too", async ({ store, options }) => {
  const tree = store.realPath("/nix/store/00000000000000000000000000000000-tree");
  // Longer in all than the system takes paths.
  const script = `mkdir "$0" && cd -P "$0" && for i in $(seq 60); do mkdir ${"d".repeat(100)} && cd -P ${"d".repeat(100)} && echo $i > file; done`;
  assert.is(spawnSync("bash", ["-c", script, tree]).status, 0);
  spawnSync("chmod", ["555", tree, join(tree, "d".repeat(100))]);
  const report = await collectGarbage(options);
  assert.is(report.deleted, 1);
  assert.equal(readdirSync(store.realStoreDirectory), []);
});

/** Run a line of shell in a mount namespace of our own, where we may mount. */
const inNamespace = (shell: string, ...args: readonly string[]) =>
  spawnSync("unshare", ["--user", "--map-root-user", "--mount", "sh", "-ec", shell, ...args], { encoding: "utf8" });
const canMount = inNamespace("mount -t tmpfs tmpfs /mnt").status === 0;
const mounting = canMount ? test : test.skip;
if (!canMount) console.log("skipped: no mount namespaces on this machine, so nothing can be mounted into a store");

mounting("what cannot be deleted is told, keeps nothing else, and goes with a later collection", async (context) => {
  const { store, options } = context;
  const stuck = store.realPath(store.addText("stuck", "stuck", []));
  const other = store.realPath(store.addText("other", "other", []));
  store.close();
  const collect = `
    const { collectGarbage } = await import(process.argv[1]);
    const error = await collectGarbage(JSON.parse(process.argv[2])).catch((thrown) => thrown);
    console.log(JSON.stringify([error.code, error.details]));`;
  const { stdout, stderr } = inNamespace(
    'mount --bind "$1" "$1"; shift; exec "$@"',
    "sh",
    stuck,
    ...[process.execPath, "--input-type=module", "-e", collect],
    ...[join(import.meta.dirname, "index.ts"), JSON.stringify(options)],
  );
  assert.is(stderr, "");
  const [code, details] = JSON.parse(stdout) as [string, string[]];
  assert.is(code, "gc.not-deleted");
  assert.is(details.length, 1);
  assert.match(details[0] ?? "", `${stuck}: EBUSY`);
  assert.equal([existsSync(stuck), existsSync(other)], [true, false]);
  assert.is((await collectGarbage(options)).deleted, 1);
  assert.is(existsSync(stuck), false);
});

test("what a killed collection put aside goes with the next one", async ({ store, options }) => {
  mkdirSync(join(store.realStoreDirectory, ".gc-trash/7/inner"), { recursive: true });
  writeFileSync(join(store.realStoreDirectory, ".gc-trash/7/inner/file"), "x");
  const report = await collectGarbage(options);
  assert.equal(report.dead, []);
  assert.ok(report.freedBytes > 0);
  assert.equal(readdirSync(store.realStoreDirectory), []);
});

test("files that share their contents count once, when the last name goes", async ({ store, options }) => {
  const file = (name: string): string => store.realPath(store.addText(name, "x".repeat(100_000), []));
  const [kept, one, two] = [file("kept"), file("one"), file("two")] as [string, string, string];
  const alone = (await collectGarbage({ ...options, dryRun: true })).freedBytes;
  assert.is(alone, 0, "our own temporary roots keep all");
  const links = join(store.realStoreDirectory, ".links");
  mkdirSync(links);
  store.close();
  const join2 = (a: string, b: string): void => {
    spawnSync("ln", ["-f", a, b]);
  };
  const large = (await collectGarbage({ ...options, dryRun: true })).freedBytes / 3;
  linkSync(one, join(links, "shared"));
  join2(one, two);
  writeFileSync(join(links, "unused"), "y");
  symlinkSync(kept.slice(store.root.length), join(store.stateDirectory, "gcroots/kept"));
  const planned = await collectGarbage({ ...options, dryRun: true });
  assert.is(planned.freedBytes, large);
  const done = await collectGarbage(options);
  // What is freed includes the name that nobody used.
  assert.is(done.freedBytes, large + 4096);
  assert.equal(readdirSync(links), []);
  assert.ok(existsSync(kept));
});

test("maxFreedBytes ends a collection early, and what is left is whole", async ({ store, options }) => {
  let before: StorePath[] = [];
  for (let i = 0; i < 10; i++) before = [store.addText(`n${i}`, "x".repeat(20_000), before)];
  store.close();
  const all = await collectGarbage({ ...options, dryRun: true });
  const some = await collectGarbage({ ...options, maxFreedBytes: all.freedBytes / 2 });
  assert.ok(some.deleted >= 5 && some.deleted <= 6, String(some.deleted));
  assert.ok(some.freedBytes >= all.freedBytes / 2);
  const none = await collectGarbage({ ...options, maxFreedBytes: 0 });
  assert.equal([none.deleted, none.dead.length], [0, 10 - some.deleted]);
});

test("temporary files of the living and held locks are spared", async ({ store, options }) => {
  const directory = store.realStoreDirectory;
  const dead = spawnSync("true").pid;
  const digest = "0".repeat(32);
  for (const name of [`add-${process.pid}-0`, `tmp-${dead}-1`, `nix-${dead}-2`, "other"])
    mkdirSync(join(directory, name));
  for (const name of [`.tmp-link-${process.pid}-5`, `.tmp-link-${dead}-5`, `${digest}-a.lock`, `${digest}-b.lock`]) {
    writeFileSync(join(directory, name), "");
  }
  const held = [`tmp-${dead}-1`, `${digest}-a.lock`].map((name) => {
    const fd = openSync(join(directory, name), "r");
    lockFileSync(fd, "exclusive", { wait: true });
    return fd;
  });
  await collectGarbage(options);
  assert.equal(
    readdirSync(directory).sort(),
    [`.tmp-link-${process.pid}-5`, `${digest}-a.lock`, `add-${process.pid}-0`, `tmp-${dead}-1`].sort(),
  );
  for (const fd of held) closeSync(fd);
});

test("running programs keep what they use", async ({ store, options, folder }) => {
  const [exe, cwd, fd, map, environ, gone, kernel, dead] = [
    "exe",
    "cwd",
    "fd",
    "map",
    "environ",
    "gone",
    "kernel",
    "dead",
  ].map((name) => store.addText(name, name, [])) as [
    StorePath,
    StorePath,
    StorePath,
    StorePath,
    StorePath,
    StorePath,
    StorePath,
    StorePath,
  ];
  store.close();
  const process = join(folder, "proc/77");
  mkdirSync(join(process, "fd"), { recursive: true });
  symlinkSync(`${exe}/bin/x`, join(process, "exe"));
  symlinkSync(store.realPath(cwd), join(process, "cwd"));
  symlinkSync(fd, join(process, "fd/3"));
  // As the kernel shows a file that was mapped inside a build, whose directory is gone.
  const build = "/nix/store/00000000000000000000000000000000-x.drv.chroot/root";
  writeFileSync(
    join(process, "maps"),
    `7f00-7f01 r-xp 0 08:01 1 ${map}/lib\n7f02-7f03 r 0 08:01 2 ${build}${gone}/l (deleted)\n`,
  );
  writeFileSync(join(process, "environ"), `A=b\0PATH=/bin:${environ}/bin\0`);
  mkdirSync(join(folder, "proc/sys/kernel"), { recursive: true });
  writeFileSync(join(folder, "proc/sys/kernel/modprobe"), `${kernel}/bin/modprobe\n`);
  const report = await collectGarbage(options);
  assert.equal([...report.live].sort(), [exe, cwd, fd, map, environ, gone, kernel].sort());
  assert.equal(report.dead, [dead]);
  assert.ok(report.roots.some((root) => root.path === environ && root.from === join(process, "environ")));
});

test("a program that really runs is a root", async ({ store, folder }) => {
  const used = store.addText("used", "x", []);
  const child = spawn("sleep", ["60"], { env: { ...process.env, USES: used } });
  const roots = await collectGarbage({ root: store.root, dryRun: true });
  child.kill();
  assert.ok(
    roots.roots.some(({ path, from }) => path === used && from === `/proc/${child.pid}/environ`),
    folder,
  );
});

test("a root that comes while we collect keeps what it names, and all that refers to", async ({ store, options }) => {
  const chain: StorePath[] = [];
  for (let i = 0; i < 100; i++) chain.push(store.addText(`c${i}`, String(i), chain.slice(-1)));
  const [first, wanted, last] = [chain[0], chain[30], chain[99]] as [StorePath, StorePath, StorePath];
  store.close();
  const answers: string[] = [];
  let client: Socket | undefined;
  const report = await collectGarbage({
    ...options,
    batchSize: 1,
    events({ kind }) {
      if (kind !== "deleted" || client !== undefined) return;
      client = connect(join(store.stateDirectory, "gc-socket/socket"), () => {
        // In two pieces, as it may arrive; the last of the chain, which was the first to go, is gone already.
        client?.write(`${last}\n${wanted.slice(0, 20)}`);
        setImmediate(() => client?.write(`${wanted.slice(20)}\n`));
      });
      client.on("data", (data) => answers.push(data.toString()));
    },
  });
  assert.is(answers.join(""), "11");
  assert.ok(report.deleted < 70 && report.deleted > 0, String(report.deleted));
  const left = openLocalStore({ root: store.root, readOnly: true });
  assert.equal(left.closure([wanted])[0], first);
  assert.not.ok(left.isValid(last));
  assert.equal(readdirSync(store.realStoreDirectory).length, left.allPaths().length);
  left.close();
});

test("a process may rely on paths while it collects itself", async ({ store, options }) => {
  const chain: StorePath[] = [];
  for (let i = 0; i < 60; i++) chain.push(store.addText(`c${i}`, String(i), chain.slice(-1)));
  store.close();
  const own = openLocalStore({ root: store.root });
  let turn = 0;
  const texts: StorePath[] = [];
  const report = await collectGarbage({
    ...options,
    batchSize: 1,
    events({ kind }) {
      // One that is gone, one that is still there, one that was never.
      if (kind === "deleted" && turn++ === 2) {
        texts.push(own.addText("c59", "59", [own.addText("c9", "9", [own.addText("c8", "8", chain.slice(7, 8))])]));
      }
      if (kind === "deleted") texts.push(own.addText(`new-${turn}`, "x", []));
    },
  }).catch((error: CodedError) => error);
  assert.ok("code" in report === false, String(report));
  for (const path of [...texts, ...own.closure(texts)]) {
    assert.ok(own.isValid(path) && existsSync(own.realPath(path)), path);
  }
  assert.ok(texts.length > 3 && own.allPaths().length < 60);
  own.close();
});

test("openGcSocket() answers in order, each time when the path is safe or gone", async ({ folder }) => {
  // Longer than the name of a socket may be.
  const state = join(folder, "x".repeat(100));
  let release = (): void => {};
  const asked: string[] = [];
  const socket = await openGcSocket(state, (path) => {
    asked.push(path);
    return path === "slow" ? new Promise((resolve) => (release = resolve)) : undefined;
  });
  const directory = openSync(join(state, "gc-socket"), "r");
  const client = connect(`/proc/self/fd/${directory}/socket`, () => client.write("slow\nfast\n"));
  let answers = "";
  client.on("data", (data) => (answers += data));
  while (asked.length < 2) await pause(5);
  await pause(20);
  assert.equal([asked, answers], [["slow", "fast"], ""]);
  release();
  while (answers.length < 2) await pause(5);
  await socket.close();
  closeSync(directory);
  assert.equal(readdirSync(join(state, "gc-socket")), []);
});

test("deletePaths() deletes what is named, all or nothing", async ({ store, options, folder }) => {
  const lib = store.addText("lib", "lib", []);
  const app = store.addText("app", "app", [lib]);
  const old = store.addText("old", "old", [lib]);
  const own = store.addText("own", "own", []);
  const top = store.addText("top", "top", [own]);
  store.addIndirectRoot(join(folder, "result"), app);
  await failsWith("gc.alive", deletePaths({ ...options, paths: [old] }));
  store.close();
  await failsWith("gc.alive", deletePaths({ ...options, paths: [app, old] }));
  await failsWith("gc.referred", deletePaths({ ...options, paths: [own] }));
  assert.equal((await deletePaths({ ...options, paths: [app, old], skipAlive: true, dryRun: true })).dead, [old]);
  assert.equal((await deletePaths({ ...options, paths: [old] })).deleted, 1);
  assert.equal((await deletePaths({ ...options, paths: [top], recursive: true })).dead, [top, own]);
  assert.equal((await deletePaths({ ...options, paths: [app], ignoreLiveness: true })).dead, [app]);
  assert.equal(readdirSync(store.realStoreDirectory), [storePathBaseName(lib)]);
});

test("a root that a running command has is never ignored", async ({ store, options }) => {
  const path = store.addText("x", "x", []);
  await failsWith("gc.alive", deletePaths({ ...options, paths: [path], ignoreLiveness: true }));
});

test("a collection can be interrupted, and two wait for each other", async ({ store, options }) => {
  const lock = openSync(join(store.stateDirectory, "gc.lock"), "w");
  store.close();
  lockFileSync(lock, "exclusive", { wait: true });
  const abort = new AbortController();
  const waiting = collectGarbage({
    ...options,
    signal: abort.signal,
    events: ({ kind }) => kind === "waiting" && abort.abort(),
  });
  assert.is(await waiting.catch((error: Error) => error.name), "AbortError");
  const events: string[] = [];
  const second = collectGarbage({ ...options, events: ({ kind }) => events.push(kind) });
  while (!events.includes("waiting")) await pause(5);
  closeSync(lock);
  await second;
  assert.is(events[0], "waiting");
});

test("roots of somebody else that we may not read stop a collection", ({ store, options, folder }) => {
  if (process.getuid?.() !== 0) return;
  writeFileSync(join(store.stateDirectory, "temproots/1"), "", { mode: 0o600 });
  spawnSync("chmod", ["-R", "a+rwX", folder]);
  spawnSync("chmod", ["600", join(store.stateDirectory, "temproots/1")]);
  const program = `import { collectGarbage } from "${import.meta.dirname}/index.ts";
    await collectGarbage(${JSON.stringify(options)}).catch((error) => console.log(error.code));`;
  const { stdout } = spawnSync(
    "setpriv",
    [
      "--reuid",
      "65534",
      "--regid",
      "65534",
      "--clear-groups",
      process.execPath,
      "--input-type=module-typescript",
      "-e",
      program,
    ],
    { encoding: "utf8" },
  );
  assert.is(stdout.trim(), "gc.unreadable-roots");
});

const small = mkdtempSync(join(tmpdir(), "floe-small-"));
// Only root can mount a small disk to fill.
const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=48m", "tmpfs", small], { stdio: "ignore" }).status === 0;
test.after(() => {
  if (mounted) spawnSync("umount", [small]);
  rmSync(small, { recursive: true });
});
if (!mounted) console.log("skipped: cannot mount a small disk to fill");
(mounted ? test : test.skip)("a collection begins on a full disk, and sets space aside again", async ({ options }) => {
  const root = join(small, "root");
  const filling = openLocalStore({ root });
  const kept = filling.addText("kept", "x", []);
  filling.addText("garbage", "x".repeat(20 * 1024 ** 2), []);
  symlinkSync(kept, join(filling.stateDirectory, "gcroots/kept"));
  filling.close();
  const reserve = join(root, "nix/var/nix/db/reserved");
  assert.is(statSync(reserve).size, 8 * 1024 ** 2);
  assert.is.not(spawnSync("dd", ["if=/dev/zero", `of=${small}/fill`, "bs=4096"], { stdio: "ignore" }).status, 0);
  assert.is(statfsSync(small).bavail, 0);
  const report = await collectGarbage({ ...options, root });
  assert.equal([report.live, report.deleted], [[kept], 1]);
  assert.ok(statfsSync(small).bavail * 4096 >= 12 * 1024 ** 2);
  assert.is(statSync(reserve).size, 8 * 1024 ** 2);
});

test.run();

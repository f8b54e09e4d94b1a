import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { hashBytes, formatHash } from "../../base/index.ts";
import type { BuildEvent } from "../../build/index.ts";
import type { StorePath } from "../../store/index.ts";
import { readBuildLog } from "../build-log/index.ts";
import { makeScratch } from "../files/index.ts";
import { asleep, processesOf } from "../sandbox/testdata/asleep.ts";
import { buildPaths, reportError } from "./build-paths.ts";
import { openBuildBench } from "./testdata/build-bench.ts";

const test = suite("buildPaths");
const bench = await openBuildBench();
const script = fileURLToPath(new URL("testdata/build-once.ts", import.meta.url));

if (typeof bench === "string") {
  console.log(`skipped: ${bench}`);
} else {
  const { store, real } = bench;
  const lines = (events: readonly BuildEvent[]): string[] =>
    events.flatMap((event) => (event.kind === "log-line" ? [event.line] : []));
  const leftovers = (): string[] =>
    readdirSync(store.realStoreDirectory).filter((name) => /\.(chroot|lock|check)$/.test(name));

  test("buildPaths() builds, registers and logs", async () => {
    const input = await bench.script("echo input > $out", { name: "input" });
    const value = await bench.script(
      `echo one; echo @nix '{"action":"setPhase","phase":"install"}'; echo two >&2; mkdir $out; ln -s ${input} $out/link; touch $out/tool; chmod 751 $out/tool`,
    );
    const report = await bench.build(value);
    assert.is(report.exitCode, 0);
    assert.equal(report.outputs, [value.outPath]);
    const info = store.queryPathInfo(value.outPath as StorePath);
    assert.equal(info?.references, [input.outPath]);
    assert.is(info?.deriver, value.drvPath);
    assert.is(info?.ultimate, true);
    assert.is(statSync(`${real(value)}/tool`).mode & 0o777, 0o555);
    assert.is(statSync(real(value)).mtimeMs, 1000);
    assert.equal(lines(report.events), ["one", "two"]);
    assert.ok(report.events.some((event) => event.kind === "phase" && event.phase === "install"));
    const log = await readBuildLog(store, value.drvPath);
    assert.is(String(log), `one\n@nix {"action":"setPhase","phase":"install"}\ntwo\n`);
    assert.equal(leftovers(), []);
    const again = await bench.build(value);
    assert.equal([again.exitCode, again.plan.jobs.length], [0, 0]);
  });

  test("several rounds tell whether a build always gives the same", async () => {
    const steady = await bench.script("echo said; echo steady > $out", { name: "rounds" });
    const report = await bench.build(steady, { rounds: 3 });
    assert.equal([report.exitCode, lines(report.events)], [0, ["said", "said", "said"]]);
    const moving = await bench.script("read now < /proc/sys/kernel/random/uuid; echo $now > $out", {
      name: "rounds-moving",
    });
    const moved = await bench.build(moving, { rounds: 2, keepFailed: true });
    assert.equal([moved.exitCode, moved.failures.map(({ error }) => error.code)], [104, ["build.not-deterministic"]]);
    assert.ok(existsSync(`${real(moving)}.check`));
    rmSync(`${real(moving)}.check`);
  });

  test("as many lines of a failed builder's log are shown as were asked for", async () => {
    const value = await bench.script("echo 1; echo 2; echo 3; exit 1", { name: "log-lines" });
    const [failure] = (await bench.build(value, { logLines: 2 })).failures;
    assert.equal(failure?.error.details, ["last 2 lines of the log:", "> 2", "> 3"]);
  });

  test("a builder sees the sandbox and nothing of the host", async () => {
    const value = await bench.script(
      `id -u; id -g; pwd; umask; hostname; tty || true; test -t 1 && echo pty; test -t 0 || echo no-input
       ls -1A / ; ls /nix/store | wc -l; ls -1 /etc; cat /etc/passwd; touch /x 2>/dev/null || echo root-read-only
       touch "$(readlink -f "$PATH")/x" 2>/dev/null || echo inputs-read-only; ls /home /usr /root 2>/dev/null || echo no-host
       ls /proc/self/fd | wc -l; : > /dev/shm/x && : > /tmp/x && echo scratch; p=/proc/sys/kernel/core_pattern; v=$(cat $p); (echo "$v" > $p) 2>/dev/null || echo proc-read-only; mkdir $out`,
    );
    const report = await bench.build(value);
    assert.is(report.exitCode, 0);
    assert.equal(lines(report.events).join("\n").split("\n"), [
      "1000",
      "100",
      "/build",
      "0022",
      "localhost",
      "not a tty",
      "pty",
      "no-input",
      "build",
      "dev",
      "etc",
      "nix",
      "proc",
      "tmp",
      "1",
      "group",
      "hosts",
      "passwd",
      "root:x:0:0:Nix build user:/build:/noshell",
      "nixbld:x:1000:100:Nix build user:/build:/noshell",
      "nobody:x:65534:65534:Nobody:/:/noshell",
      "root-read-only",
      "inputs-read-only",
      "no-host",
      "4",
      "scratch",
      "proc-read-only",
    ]);
  });

  test("a builder finds the shell its derivation names at /bin/sh", async () => {
    const value = await bench.script("readlink /bin/sh; ls /bin; mkdir $out", {
      name: "shell",
      env: { sandboxShell: "/build/shell" },
    });
    const report = await bench.build(value);
    assert.equal(lines(report.events), ["/build/shell", "sh"]);
  });

  test("a builder without a declared hash has no network but its own", async () => {
    const value = await bench.script(
      "cat /proc/net/dev | wc -l; ifconfig lo | head -n 3 | wc -l; test ! -e /etc/resolv.conf; mkdir $out",
    );
    const report = await bench.build(value);
    assert.equal([report.exitCode, lines(report.events)[0]], [0, "3"]);
  });

  test("a builder with a declared hash shares the network", async () => {
    const digest = hashBytes("sha256", "fixed\n");
    const value = await bench.script(
      "cat /proc/net/dev | wc -l > /build/n; test $(cat /build/n) -gt 3; echo fixed > $out",
      { name: "fixed", fixed: { method: "flat", hash: formatHash(digest, "sri") } },
    );
    const report = await bench.build(value);
    // A machine may have no interface besides its own loop.
    const interfaces = readFileSync("/proc/net/dev", "utf8").trim().split("\n").length;
    if (interfaces > 3) assert.is(report.exitCode, 0);
    if (report.exitCode === 0)
      assert.is(store.queryPathInfo(value.outPath as StorePath)?.ca, `fixed:${formatHash(digest, "typed-base32")}`);
  });

  test("what a builder with a network wrote is copied, so that nobody can write to it later", async () => {
    const hash = formatHash(hashBytes("sha256", "fixed copy\n"), "sri");
    const value = await bench.script("echo fixed copy > $out; stat -c %i $out", {
      name: "fixed-copy",
      fixed: { method: "flat", hash },
    });
    const report = await bench.build(value);
    assert.is(report.exitCode, 0);
    assert.is.not(lines(report.events)[0], String(statSync(real(value)).ino));
  });

  test("nobody else gets at an output before its modes are canonical", async () => {
    const value = await bench.script(`touch $out; chmod 777 $out; ${asleep(1)}; chmod 755 $out`, { name: "open-mode" });
    const run = bench.build(value);
    await until(() => isRunning(asleep(1)));
    const [top = ""] = leftovers().filter((name) => name.includes("open-mode") && name.endsWith(".chroot"));
    const mode = statSync(`${store.realStoreDirectory}/${top}`).mode;
    endAll(asleep(1));
    await run;
    assert.is(mode & 0o777, 0o700);
  });

  test("several outputs may refer to each other", async () => {
    const value = await bench.script(`mkdir $out $dev; echo $out > $dev/out`, { name: "two", outputs: ["out", "dev"] });
    assert.is((await bench.build(value)).exitCode, 0);
    assert.equal(store.queryPathInfo(value.outputs["dev"] as StorePath)?.references, [value.outPath]);
  });

  test("an input that is a link is seen as a link", async () => {
    const link = await bench.script("ln -s target $out", { name: "link" });
    const value = await bench.script(`readlink ${link} > $out`);
    assert.is((await bench.build(value)).exitCode, 0);
    assert.is(readFileSync(real(value), "utf8"), "target\n");
    assert.is(readlinkSync(real(link)), "target");
  });

  test("a hash mismatch shows both hashes and registers nothing", async () => {
    const declared = formatHash(hashBytes("sha256", "something else"), "sri");
    const value = await bench.script("echo fixed > $out", { name: "wrong", fixed: { method: "flat", hash: declared } });
    const report = await bench.build(value);
    const found = formatHash(hashBytes("sha256", "fixed\n"), "sri");
    assert.is(report.exitCode, 102);
    const error = report.failures[0]?.error;
    assert.is(error?.code, "build.hash-mismatch");
    assert.ok(error?.details?.includes(`declared: ${declared}`));
    assert.ok(error?.details?.includes(`found:    ${found}`));
    assert.match(error?.hint ?? "", found);
    assert.not.ok(store.isValid(value.outPath));
    assert.not.ok(existsSync(real(value)));
  });

  test("a flat output must be one file that is not executable", async () => {
    const hash = formatHash(hashBytes("sha256", ""), "sri");
    for (const text of ["mkdir $out", "touch $out; chmod +x $out"]) {
      const report = await bench.build(await bench.script(text, { name: "flat", fixed: { method: "flat", hash } }));
      assert.is(report.failures[0]?.error.code, "build.not-flat");
    }
  });

  test("a fixed output may not hold store paths", async () => {
    const input = await bench.script("echo dep > $out", { name: "dep" });
    await bench.build(input);
    const hash = formatHash(hashBytes("sha256", `${input.outPath}\n`), "sri");
    const report = await bench.build(
      await bench.script(`echo ${input} > $out`, { name: "refs", fixed: { method: "flat", hash } }),
    );
    assert.is(report.failures[0]?.error.code, "build.fixed-with-references");
  });

  test("a failing builder gives 100, the end of its log and the command for all of it", async () => {
    const value = await bench.script("seq 1 40; exit 7", { name: "fails" });
    const report = await bench.build(value);
    assert.is(report.exitCode, 100);
    const error = report.failures[0]?.error;
    assert.is(error?.code, "build.failed");
    assert.is(error?.message, `Cannot build "fails": the builder ended with exit code 7`);
    assert.equal(error?.details, ["last 25 lines of the log:", ...Array.from({ length: 25 }, (_, i) => `> ${i + 16}`)]);
    assert.match(error?.hint ?? "", `floe log ${value.drvPath}`);
    assert.is(String(await readBuildLog(store, value.drvPath)).split("\n").length, 41);
    assert.equal(leftovers(), []);
  });

  test("directories nobody may enter are cleared away as well", async () => {
    const text = "mkdir -p $out/a/b /build/c/d; touch $out/a/b/f; chmod 000 $out/a/b $out/a /build/c/d /build/c";
    const report = await bench.build(await bench.script(`${text}; exit 1`, { name: "locked" }));
    assert.is(report.failures[0]?.error.code, "build.failed");
    assert.equal(
      leftovers().filter((name) => name.includes("locked")),
      [],
    );
    const kept = await bench.script(`${text}; echo x > $out/g`, { name: "locked-output" });
    assert.is((await bench.build(kept)).exitCode, 0);
    assert.is(readFileSync(`${real(kept)}/a/b/f`, "utf8"), "");
  });

  test("a special file in an output is refused", async () => {
    const report = await bench.build(await bench.script("mkdir $out; mkfifo $out/pipe", { name: "special" }));
    assert.equal([report.exitCode, report.failures[0]?.error.code], [100, "files.unsupported-type"]);
  });

  test("a builder that makes no output fails", async () => {
    const report = await bench.build(await bench.script("true", { name: "nothing" }));
    assert.is(report.failures[0]?.error.code, "build.missing-output");
  });

  test("a forbidden reference fails before registration", async () => {
    const input = await bench.script("echo seed > $out", { name: "seed" });
    const value = await bench.script(`echo ${input} > $out`, { name: "refers", env: { disallowedReferences: input } });
    const report = await bench.build(value);
    assert.equal([report.exitCode, report.failures[0]?.error.code], [100, "build.forbidden-reference"]);
    assert.not.ok(store.isValid(value.outPath));
  });

  test("keepGoing builds the rest, names what was lost, and or-s the codes", async () => {
    const bad = await bench.script("exit 1", { name: "bad" });
    const slow = await bench.script("sleep 60", { name: "slow" });
    const good = await bench.script("touch $out", { name: "good" });
    const needs = await bench.script(`cat ${bad} > $out`, { name: "needs" });
    const top = await bench.script(`cat ${needs} ${good} ${slow} > $out`, { name: "top" });
    // Time enough for the good one, on a busy machine too.
    const report = await bench.build(top, { keepGoing: true, timeoutSeconds: 3 });
    assert.is(report.exitCode, 101);
    assert.ok(store.isValid(good.outPath));
    assert.equal(report.dependencyFailed.map((path) => path.slice(44)).sort(), ["needs.drv", "top.drv"]);
  });

  test("time-outs give 101", async () => {
    const slow = await bench.build(await bench.script("while true; do echo .; sleep 0.1; done", { name: "endless" }), {
      timeoutSeconds: 1,
    });
    assert.equal([slow.exitCode, slow.failures[0]?.error.code], [101, "build.timeout"]);
    const silent = await bench.build(await bench.script("echo begin; sleep 60", { name: "silent" }), {
      maxSilentSeconds: 1,
    });
    assert.equal(
      [silent.exitCode, silent.failures[0]?.error.message],
      [101, `Cannot build "silent": it wrote nothing for 1 s`],
    );
  });

  test("a log that grows too long ends the build", async () => {
    const report = await bench.build(await bench.script("seq 1 1000000; touch $out", { name: "chatty" }), {
      maxLogBytes: 10_000,
    });
    assert.equal([report.exitCode, report.failures[0]?.error.code], [100, "build.log-too-large"]);
  });

  test("keepFailed keeps the build directory with a script for its variables", async () => {
    const value = await bench.script("echo made > file; exit 1", { name: "kept", env: { FLAVOUR: "it's salty" } });
    const report = await bench.build(value, { keepFailed: true });
    const kept = /build directory kept: (\S+)/.exec(report.failures[0]?.error.details?.join("\n") ?? "")?.[1] ?? "";
    assert.is(readFileSync(`${kept}/file`, "utf8"), "made\n");
    const script = readFileSync(`${kept}/env-vars`, "utf8");
    assert.match(script, `export FLAVOUR='it'\\''s salty'\n`);
    assert.match(script, `export NIX_BUILD_TOP='${kept}'\n`);
    rmSync(kept, { recursive: true });
    const gone = await bench.build(value);
    assert.not.match(gone.failures[0]?.error.details?.join("\n") ?? "", "kept");
  });

  test("rebuild compares, gives 104 and keeps the differing result on request", async () => {
    const same = await bench.script("echo same > $out", { name: "same" });
    await bench.build(same);
    const compared = await bench.build(same, { rebuild: true });
    assert.equal([compared.exitCode, compared.built], [0, [same.drvPath]]);

    const random = await bench.script("mkdir $out; cat /proc/sys/kernel/random/uuid > $out/id; echo same > $out/same", {
      name: "random",
    });
    await bench.build(random);
    const first = readFileSync(`${real(random)}/id`, "utf8");
    const report = await bench.build(random, { rebuild: true, keepFailed: true });
    assert.equal([report.exitCode, report.failures[0]?.error.code], [104, "build.not-deterministic"]);
    assert.equal(report.failures[0]?.error.details, [
      `${random.outPath} differs`,
      "  /id",
      `  kept as ${real(random)}.check`,
    ]);
    assert.is(readFileSync(`${real(random)}/id`, "utf8"), first);
    assert.not.equal(readFileSync(`${real(random)}.check/id`, "utf8"), first);
  });

  test("a cancelled run kills every process and leaves nothing behind", async () => {
    const directories = (): string[] =>
      readdirSync(dirname(makeScratch("beside"))).filter((name) => name.startsWith("build-long-"));
    const before = directories();
    // A second process outlives its parent unless the whole name space is ended.
    const value = await bench.script(`${asleep(2)} & ${asleep(3)} & echo ready; wait`, { name: "long" });
    const abort = new AbortController();
    const run = bench.build(value, { signal: abort.signal });
    await until(() => isRunning(asleep(3)));
    abort.abort();
    const report = await run;
    assert.equal([report.exitCode, report.cancelled, report.failures.length], [130, true, 0]);
    assert.is(reportError(report)?.code, "build.cancelled");
    assert.not.ok(isRunning(asleep(2)));
    assert.not.ok(isRunning(asleep(3)));
    assert.not.ok(store.isValid(value.outPath));
    assert.equal(
      leftovers().filter((name) => name.includes("long")),
      [],
    );
    assert.equal(directories(), before);
  });

  test("what a builder left running dies with it", async () => {
    for (let round = 0; round < 5; round++) {
      const value = await bench.script(`${asleep(4)} > /dev/null 2>&1 & touch $out`, { name: `leaves${round}` });
      assert.is((await bench.build(value)).exitCode, 0);
      assert.not.ok(isRunning(asleep(4)));
    }
  });

  test("a builder that is killed is told by its signal", async () => {
    const report = await bench.build(await bench.script("sh -c 'kill -9 $$'; exit 0", { name: "child-killed" }));
    assert.is(report.failures[0]?.error.message, `Cannot build "child-killed": the builder was killed by SIGKILL`);
  });

  test("a killed run leaves no process and nothing half-registered, and the next one succeeds", async () => {
    const value = await bench.script(`test ! -e /tmp/x; echo half > $out; ${asleep(5)}; echo whole > $out`, {
      name: "murdered",
    });
    const env = { ...process.env, TMPDIR: bench.directory };
    const child = spawn(process.execPath, [script, store.root, value.drvPath], { stdio: "ignore", env });
    await until(() => isRunning(asleep(5)));
    child.kill("SIGKILL");
    await until(() => !isRunning(asleep(5)));
    assert.not.ok(store.isValid(value.outPath));
    const quick = await bench.script("echo whole > $out", { name: "murdered" });
    // Those of the killed one are removed by the next.
    const scratches = () => readdirSync(bench.directory).filter((name) => name.startsWith(".floe-scratch-")).length;
    assert.is(scratches(), 1);
    assert.is(spawnSync(process.execPath, [script, store.root, quick.drvPath], { env }).status, 0);
    assert.is(scratches(), 0);
    const run = bench.build(value);
    await until(() => isRunning(asleep(5)));
    endAll(asleep(5));
    await run;
    assert.equal(
      leftovers().filter((name) => name.includes("murdered")),
      [],
    );
  });

  test("a sandbox that is killed from outside fails the build", async () => {
    const value = await bench.script(`${asleep(6)}; touch $out`, { name: "shot" });
    const run = bench.build(value);
    await until(() => isRunning(asleep(6)));
    for (const pid of processesOf(/floe-sandbox|bwrap/).filter(isOurChild)) {
      process.kill(pid, "SIGKILL");
    }
    const report = await run;
    assert.is(report.failures[0]?.error.message, `Cannot build "shot": the builder was killed by SIGKILL`);
    assert.not.ok(isRunning(asleep(6)));
  });

  test("leftovers of a killed build are cleared away", async () => {
    const value = await bench.script("echo right > $out", { name: "leftover" });
    writeFileSync(real(value), "half");
    assert.is((await bench.build(value)).exitCode, 0);
    assert.is(readFileSync(real(value), "utf8"), "right\n");
  });

  test("a machine without user namespaces or bubblewrap refuses to build, and says what to do", async () => {
    const value = await bench.script("touch $out", { name: "refused" });
    const refused = await bench.build(value, {
      sandboxSupport: () => ({ kind: "no-user-namespaces", found: "max_user_namespaces is 0" }),
    });
    assert.equal([refused.exitCode, refused.failures[0]?.error.code], [100, "sandbox.no-user-namespaces"]);
    assert.match(refused.failures[0]?.error.hint ?? "", "--no-sandbox");
    const missing = await bench.build(value, { sandboxSupport: () => ({ kind: "no-program" }) });
    assert.equal([missing.exitCode, missing.failures[0]?.error.code], [100, "sandbox.no-program"]);
    assert.match(missing.failures[0]?.error.hint ?? "", "apt-get install bubblewrap");
    assert.not.ok(store.isValid(value.outPath));
  });

  test("a sandbox that cannot be made is told from a builder that fails", async () => {
    const value = await bench.script("touch $out", { name: "broken-sandbox" });
    const report = await bench.build(value, {
      sandboxSupport: () => ({ kind: "available", native: undefined, bubblewrap: "/bin/false" }),
    });
    assert.equal([report.exitCode, report.failures[0]?.error.code], [100, "sandbox.failed"]);
  });

  test("a derivation that asks out of the sandbox, for another machine or a missing feature is refused", async () => {
    const code = async (value: Awaited<ReturnType<typeof bench.script>>): Promise<string | undefined> =>
      (await bench.build(value)).failures[0]?.error.code;
    assert.is(
      await code(await bench.script("touch $out", { name: "out", env: { __noChroot: true } })),
      "build.no-chroot",
    );
    assert.is(await code(await bench.script("touch $out", { system: "riscv64-linux" })), "build.wrong-system");
    assert.is(
      await code(await bench.script("touch $out", { env: { requiredSystemFeatures: ["quantum"] } })),
      "build.missing-feature",
    );
    assert.is(
      await code(await bench.add({ name: "b", system: "builtin", builder: "builtin:nope" })),
      "build.unknown-builtin",
    );
  });

  test("arguments that are too long, or attributes that are no object, fail the build with words", async () => {
    const long = await bench.build(await bench.script(`: ${"x".repeat(200_000)}`, { name: "long-script" }));
    assert.equal([long.exitCode, long.failures[0]?.error.code], [100, "build.arguments-too-long"]);
    for (const __json of ["{", "[]", "null"]) {
      const report = await bench.build(await bench.script("touch $out", { name: "bad-json", env: { __json } }));
      assert.equal([report.exitCode, report.failures[0]?.error.code], [100, "build.attributes-malformed"]);
    }
  });

  test("a path is a root before it is looked for, so that no collection comes between", async () => {
    const value = await bench.script("touch $out", { name: "rooted" });
    const calls: string[] = [];
    const watched = new Proxy(store, {
      get(target, key) {
        const member: unknown = Reflect.get(target, key, target);
        if (typeof member !== "function") return member;
        return (...args: unknown[]) => {
          if (args[0] === value.outPath) calls.push(String(key));
          return member.apply(target, args) as unknown;
        };
      },
    });
    await buildPaths({
      store: watched,
      targets: [{ drvPath: value.drvPath as StorePath }],
      options: { dryRun: true },
    });
    assert.equal(calls.slice(0, 2), ["addTempRoot", "isValid"]);
  });

  test("reportError() names the first failure, with the others and the code of the run", async () => {
    const values = [
      await bench.script("exit 1", { name: "first" }),
      await bench.script("sleep 60", { name: "second" }),
    ];
    const targets = values.map((value) => ({ drvPath: value.drvPath as StorePath }));
    const report = await buildPaths({ store, targets, options: { keepGoing: true, maxJobs: 2, timeoutSeconds: 3 } });
    const error = reportError(report);
    assert.equal([error?.code, error?.exitCode], ["build.failed", 101]);
    assert.equal(error?.details, [`Cannot build "second": it took longer than 3 s`]);
    assert.is(reportError({ ...report, failures: [] }), undefined);
  });

  test("an input that is gone from the store is named", async () => {
    const value = await bench.script("touch $out", { name: "needs-tools" });
    const forgetful = new Proxy(store, {
      get(target, key) {
        const member: unknown = key === "queryPathInfo" ? () => undefined : Reflect.get(target, key, target);
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
    const report = await buildPaths({ store: forgetful, targets: [{ drvPath: value.drvPath as StorePath }] });
    assert.is(report.failures[0]?.error.code, "build.missing-input");
  });

  test("two runs at once build a derivation once", async () => {
    const value = await bench.script("sleep 0.5; echo built > $out", { name: "shared" });
    const reports = await Promise.all([bench.build(value), bench.build(value)]);
    assert.equal(
      reports.map((report) => report.exitCode),
      [0, 0],
    );
    assert.is(reports.flatMap((report) => report.built).length, 1);
  });

  test("real Nix finds nothing wrong with what was registered", () => {
    const verified = spawnSync("nix-store", ["--store", store.root, "--verify", "--check-contents"], {
      encoding: "utf8",
    });
    if (verified.error !== undefined) return console.log("skipped: nix-store is not on PATH");
    assert.is(verified.status, 0);
    assert.not.match(verified.stderr, /error|modified|disappeared/);
  });

  test.after(() => bench.close());
}

function isOurChild(pid: number): boolean {
  return Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) === process.pid;
}

function isRunning(command: string): boolean {
  return processesOf(command).length > 0;
}

function endAll(command: string): void {
  for (const pid of processesOf(command)) process.kill(pid);
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 500) throw new Error("the condition did not come true within 10 s");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test.run();

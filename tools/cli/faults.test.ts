/** What happens to a store whose disk is full, may only be read, or fails. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { removeTree } from "../../core/host/files/index.ts";
import { openLocalStore } from "../../core/host/local-store/index.ts";
import { Ledger } from "../../core/host/maintenance/testing-ledger.ts";
import { verifyStore } from "../../core/host/maintenance/verify.ts";
import { bundlePrograms } from "./bundle-program.ts";

const test = suite("faults of a disk");
const folder = mkdtempSync(join(tmpdir(), "floe-faults-"));
const script = join(folder, "store-steps.mjs");
const environment = { ...process.env, NODE_COMPILE_CACHE: join(folder, "compiled"), NIX_REMOTE: "" };
const STEPS = ["add", "import", "build", "advance", "optimise", "add", "advance", "forget", "drop", "collect"];

await bundlePrograms([join(import.meta.dirname, "testdata/store-steps.ts")], folder);
spawnSync(process.execPath, [script], { env: environment });
test.after(() => removeTree(folder));

/** A store with something in it, as a tree to copy. */
const sample = join(folder, "sample");
const told = new Ledger("0");
take(told, run([process.execPath, script, sample, "0", "1", "add", "import", "build", "advance", "add", "advance"]));

interface Ran {
  readonly lines: readonly string[];
  /** `STEP CODE` of what failed. */
  readonly failed: readonly string[];
}

function run(words: readonly string[]): Ran {
  const { stdout, stderr, status } = spawnSync(words[0] as string, words.slice(1), {
    encoding: "utf8",
    env: environment,
  });
  assert.is(status, 0, `${stdout}${stderr}`);
  const lines = stdout.split("\n").filter((line) => line !== "");
  const failed = lines.filter((line) => line.startsWith("failed "));
  return { lines, failed: failed.map((line) => line.replace(/^failed (\S+) .*\[([a-z.-]+)\].*$/, "$1 $2")) };
}

function take(ledger: Ledger, { lines }: Ran): void {
  for (const line of lines) ledger.take(line);
}

/** Only these may a failing disk lead to. */
function assertKnown(ran: Ran, codes: RegExp, when: string): void {
  for (const failure of ran.failed)
    assert.match(failure.split(" ")[1] ?? "", codes, `${when}: ${ran.lines.join("\n")}`);
}

/** Run a line of shell in a mount namespace of our own, where we may mount. */
function inNamespace(shell: string): readonly string[] {
  return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", shell];
}

const steps = (root: string, seed: number): string =>
  `${process.execPath} ${script} ${root} 0 ${seed} ${STEPS.join(" ")}`;
const verify = (root: string): string => `${process.execPath} ${script} ${root} verify`;

const canMount =
  spawnSync("unshare", inNamespace("mount -t tmpfs tmpfs /mnt").slice(1), { stdio: "ignore" }).status === 0;
const mounting = canMount ? test : test.skip;
if (!canMount) console.log("skipped: no mount namespaces on this machine, so no small or read-only disk can be made");

mounting("a disk that is full fails with words, and all goes on when there is room again", () => {
  const disk = join(folder, "disk");
  mkdirSync(disk);
  let failures = 0;
  for (const [index, freeKiB] of [0, 40, 150, 600].entries()) {
    const ran = run(
      inNamespace(`
        mount -t tmpfs -o size=40m tmpfs ${disk}
        cp -a ${sample} ${disk}/root
        head -c ${freeKiB}K /dev/zero > ${disk}/room
        cat /dev/zero > ${disk}/filler 2> /dev/null || true
        rm ${disk}/room
        ${steps(`${disk}/root`, 10 + index)}
        ${process.execPath} ${script} ${disk}/root collect
        echo room
        rm ${disk}/filler
        ${verify(`${disk}/root`)}
        ${steps(`${disk}/root`, 20 + index)}
        ${verify(`${disk}/root`)}
      `),
    );
    const room = ran.lines.indexOf("room");
    failures += ran.lines.slice(0, room).filter((line) => line.startsWith("failed")).length;
    assertKnown(ran, /^(disk\.full|build\.disk-full|files\.sync-failed)$/, `${freeKiB} KiB free`);
    assert.equal(
      ran.lines.slice(room).filter((line) => /^(failed|verified)/.test(line)),
      ["verified []", "verified []"],
      `${freeKiB} KiB free`,
    );
    // What a full disk needs most works: garbage can be collected.
    assert.ok(
      ran.lines.slice(0, room).some((line) => line.startsWith("done gc")),
      ran.lines.join("\n"),
    );
  }
  assert.ok(failures >= 4, `${failures} steps failed`);
});

mounting("a disk that may only be read fails with words and changes nothing", () => {
  const disk = join(folder, "read-only");
  mkdirSync(disk);
  const ran = run(
    inNamespace(`
      mount -t tmpfs -o size=40m tmpfs ${disk}
      cp -a ${sample} ${disk}/root
      mount -o remount,ro ${disk}
      ${steps(`${disk}/root`, 30)}
      ${verify(`${disk}/root`)}
      mount -o remount,rw ${disk}
      ${steps(`${disk}/root`, 31)}
      ${verify(`${disk}/root`)}
    `),
  );
  assertKnown(ran, /^(file\.read-only|store\.not-writable)$/, "read-only");
  assert.ok(ran.failed.length > 0);
  assert.equal(
    ran.lines.filter((line) => line.startsWith("verified")),
    ["verified []", "verified []"],
  );
});

/** All other calls go untouched, so that they take no longer than always. */
const STRACE = ["strace", "-f", "--seccomp-bpf"];
const canTrace = spawnSync("sh", ["-c", `${STRACE.join(" ")} -o /dev/null true`], { stdio: "ignore" }).status === 0;
const tracing = canTrace ? test : test.skip;
if (!canTrace) console.log("skipped: strace is not here or may not trace, so no system call can be made to fail");

/** Calls that fail, and which of them: one alone, or all from it on. */
const INJECTIONS: readonly (readonly [calls: string, when: string])[] = [
  ...[1, 3, 8, 16].map((nth) => ["fsync,fdatasync", String(nth)] as const),
  ["fsync,fdatasync", "5+"],
  ...[2, 9].map((nth) => ["pwrite64,pwritev", String(nth)] as const),
  ["pwrite64,pwritev", "6+"],
  ...[1, 4].map((nth) => ["rename,renameat,renameat2", String(nth)] as const),
  ["symlink,symlinkat,link,linkat", "2"],
  ["ftruncate,fchmod,utimensat,chmod", "2"],
];

tracing("calls that fail with EIO are told, leave the store whole and take nothing back", async () => {
  const seen = new Set<string>();
  for (const [index, [calls, when]] of INJECTIONS.entries()) {
    const root = join(folder, `io-${index}`);
    run(["cp", "-a", sample, root]);
    const ledger = new Ledger("0");
    take(ledger, run([process.execPath, script, root, "0", String(100 + index), "import"]));
    const inject = ["-e", `trace=${calls}`, "-e", `inject=${calls}:error=EIO:when=${when}`];
    const trace = [...STRACE, "-qq", "-o", join(folder, "trace"), ...inject];
    const ran = run([...trace, process.execPath, script, root, "0", String(200 + index), ...STEPS]);
    take(ledger, ran);
    for (const failure of ran.failed) seen.add(failure.split(" ")[1] as string);
    // SQLite does not tell why the index of its log could not be made larger.
    assertKnown(ran, /^(disk\.io-error|disk\.full|files\.sync-failed|gc\.not-deleted)$/, `${calls} ${when}`);
    using store = openLocalStore({ root });
    const findings = await verifyStore(store, { contents: true, threads: 1 });
    assert.equal([findings.faults, findings.gone], [[], []], `${calls} ${when}: ${ran.lines.join("\n")}`);
    assert.equal(ledger.check(store), [], `${calls} ${when}`);
    const again = run([process.execPath, script, root, "0", String(300 + index), ...STEPS]);
    assert.equal(again.failed, [], `${calls} ${when}: afterwards`);
    removeTree(root);
  }
  assert.ok(seen.has("disk.io-error"), [...seen].join(", "));
});

test.run();

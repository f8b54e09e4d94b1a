import { spawn, spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { removeTree } from "../files/index.ts";
import { findProgram } from "../process/index.ts";
import { findNativeProgram } from "../sandbox/index.ts";

/** Builds with many users, by somebody who is not root: a user that only the processes of this test know. */
const test = suite<{ folder: string }>("uid-range for an ordinary user");
test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), "floe-range-"));
  chownSync(context.folder, UID, UID);
});
test.after.each(({ folder }) => removeTree(folder));

const UID = 61_234;
const FIRST = 1_700_000_000;

/** In mounts of its own: who the user is, and which numbers belong to it. */
const SCRIPT = `
for name in passwd subuid subgid; do mount --bind "$0/$name" "/etc/$name" || exit 66; done
exec setpriv --reuid ${UID} --regid ${UID} --clear-groups -- "$@"
`;

function why(): string | undefined {
  if (process.getuid?.() !== 0) return "only root can run builds as another user";
  for (const name of ["newuidmap", "newgidmap", "setpriv", "unshare", "mount"])
    if (findProgram(name) === undefined) return `${name} is not on the PATH`;
  if (findNativeProgram() === undefined) return "floe-sandbox is not there";
  for (const file of ["/etc/subuid", "/etc/subgid"]) if (!existsSync(file)) return `${file} is not there`;
  const asUser = ["--reuid", String(UID), "--regid", String(UID), "--clear-groups", "--", process.execPath, "-e", ""];
  const program = join(import.meta.dirname, "testdata/build-range.ts");
  const reads = spawnSync("setpriv", [
    ...asUser.slice(0, -2),
    "-e",
    `require("fs").readFileSync(${JSON.stringify(program)})`,
  ]);
  return reads.status === 0 ? undefined : "other users may not read this checkout";
}

const refusal = why();
if (refusal !== undefined) console.log(`skipped: ${refusal}`);
const ranged = refusal === undefined ? test : test.skip;

interface Answer {
  readonly exitCode: number;
  readonly failures: readonly { code: string; message: string; hint?: string }[];
  readonly lines: readonly string[];
  readonly owners: readonly number[];
  readonly left: readonly string[];
  readonly uid: number;
}

function start(folder: string, words: readonly string[], { count = 65_536, path = process.env["PATH"] ?? "" } = {}) {
  const passwd = readFileSync("/etc/passwd", "utf8");
  writeFileSync(join(folder, "passwd"), `${passwd}floe-range:x:${UID}:${UID}::${folder}:/bin/sh\n`);
  for (const name of ["subuid", "subgid"]) writeFileSync(join(folder, name), `floe-range:${FIRST}:${count}\n`);
  const program = join(import.meta.dirname, "testdata/build-range.ts");
  const command = [
    "sh",
    "-c",
    SCRIPT,
    folder,
    process.execPath,
    "--disable-warning=ExperimentalWarning",
    program,
    ...words,
  ];
  return spawn("unshare", ["--mount", "--propagation", "private", "--", ...command], {
    env: { PATH: path, HOME: folder, TMPDIR: folder, XDG_STATE_HOME: join(folder, "state") },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function build(folder: string, words: readonly string[], options = {}): Promise<Answer> {
  const child = start(folder, words, options);
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => (stdout += String(chunk)));
  child.stderr.on("data", (chunk) => (stderr += String(chunk)));
  const code = await new Promise((resolve) => child.once("close", resolve));
  assert.is(code, 0, stderr);
  return JSON.parse(stdout) as Answer;
}

ranged("the builder is root of the 65,536 users of /etc/subuid, and what it leaves is ours", async ({ folder }) => {
  const answer = await build(folder, [
    `id -u; cat /proc/self/uid_map; cat /proc/self/gid_map; mkdir $out; touch $out/f $out/g; busybox chown 1234:77 $out/f
     stat -c %u:%g $out/f; busybox chown 65535 $out/g && busybox chown 65536 $out/g 2>/dev/null || echo no-more
     mkdir -m 700 $out/closed /build/closed; touch /build/closed/file; busybox chown -R 5:5 $out/closed /build/closed
     mknod /build/disk b 8 0 2>/dev/null || echo no-devices; mount -t tmpfs x /tmp 2>/dev/null || echo no-mounts
     chmod u+s $out/f 2>/dev/null || echo no-set-id; (echo x > /proc/sys/kernel/hostname) 2>/dev/null || echo no-settings
     busybox unshare -m -p -f busybox sh -c 'busybox mount -t tmpfs x /tmp && echo mounted'`,
  ]);
  assert.equal(answer.failures, []);
  const [uid, users, groups, ...rest] = answer.lines;
  assert.equal([uid, users, groups], ["0", `0 ${FIRST} 65536`, `0 ${FIRST} 65536`].map(insideOnly));
  assert.equal(rest, ["1234:77", "no-more", "no-devices", "no-mounts", "no-set-id", "no-settings", "mounted"]);
  assert.equal([answer.owners, answer.left, answer.uid], [[UID], [], UID]);
});

ranged("what a build that fails leaves is taken back as well", async ({ folder }) => {
  const script =
    "mkdir -m 700 $out /build/closed; touch $out/f /build/closed/f; busybox chown -R 9:9 $out /build/closed; exit 3";
  for (const more of ["", "keep"]) {
    const answer = await build(folder, [script, more]);
    assert.equal(
      answer.failures.map(({ code }) => code),
      ["build.failed"],
    );
    assert.equal(answer.left, []);
  }
  const kept = readdirSync(folder).filter((name) => name.startsWith("floe-build-ranged"));
  assert.is(kept.length, 1);
  // The user can look into what was kept, and remove it.
  const removed = spawnSync("setpriv", [
    ...`--reuid ${UID} --regid ${UID} --clear-groups -- rm -rf`.split(" "),
    join(folder, kept[0] as string),
  ]);
  assert.is(removed.status, 0, String(removed.stderr));
});

ranged("whoever kills Floe leaves nothing that belongs to the builder", async ({ folder }) => {
  const child = start(folder, ["mkdir -m 700 $out; touch $out/f; busybox chown -R 9:9 $out; echo begun; sleep 1000"]);
  const foreign = (): string[] => {
    const { stdout } = spawnSync("find", [folder, "-uid", `+${FIRST - 1}`], { encoding: "utf8" });
    return stdout.split("\n").filter((line) => line !== "");
  };
  await until(
    () => foreign().some((path) => path.endsWith("/f")),
    () => `owned by builders: ${foreign().join(", ")}`,
  );
  child.kill("SIGKILL");
  await until(
    () => foreign().length === 0,
    () => `left: ${foreign().join(", ")}`,
  );
});

ranged("what is missing is named, with what helps", async ({ folder }) => {
  const few = await build(folder, ["touch $out"], { count: 1000 });
  assert.equal(
    few.failures.map(({ code }) => code),
    ["build.missing-feature"],
  );
  assert.match(few.failures[0]?.hint ?? "", 'subuid" gives "floe-range" no 65536 numbers in a row');
  assert.match(few.failures[0]?.hint ?? "", "usermod --add-subuids");
});

test.run();

/** Inside of its name space a user reads its own numbers of the name space around: ours, where the range begins at 65,536. */
function insideOnly(text: string): string {
  return text.replace(String(FIRST), "65536");
}

async function until(isSo: () => boolean, found: () => string): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.unreachable(found());
}

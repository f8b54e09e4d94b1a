import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isGone, ownMark } from "./process-mark.ts";
import { makeRunDirectory } from "./run-directory.ts";

const root = mkdtempSync(join(tmpdir(), "floe-run-dir-"));
test.after(() => rmSync(root, { recursive: true, force: true }));

/** A process that makes a folder, says which, and stays. */
async function startOwner(parent: string) {
  const script = `const { makeRunDirectory } = await import(${JSON.stringify(import.meta.resolve("./run-directory.ts"))});
    console.log(makeRunDirectory(${JSON.stringify(parent)}).path); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  return { child, path: said.toString().trim() };
}

test("makeRunDirectory() removes the folders of processes that were killed, and no others", async () => {
  const killed = await startOwner(root);
  const alive = await startOwner(root);
  try {
    killed.child.kill("SIGKILL");
    await once(killed.child, "exit");
    assert.ok(existsSync(killed.path));
    const fresh = mkdtempSync(join(root, "floe-vm-"));
    const old = mkdtempSync(join(root, "floe-vm-"));
    const used = mkdtempSync(join(root, "floe-vm-"));
    writeFileSync(join(used, "0.sock"), "");
    const marked = mkdtempSync(join(root, "floe-vm-"));
    writeFileSync(join(marked, "owner"), "");
    for (const path of [old, used, marked]) utimesSync(path, 1, 1);
    const other = join(root, "floe-else");
    mkdirSync(other);
    const run = makeRunDirectory(root);
    assert.equal([killed.path, old, marked].map(existsSync), [false, false, false]);
    assert.equal([alive.path, fresh, used, other].map(existsSync), [true, true, true, true]);
    assert.is(readFileSync(join(run.path, "owner"), "utf8"), ownMark());
    run.remove();
    assert.not.ok(existsSync(run.path));
  } finally {
    alive.child.kill("SIGKILL");
  }
});

test("isGone() is certain of what it says", () => {
  const [boot = "", namespace = "", pid = "", start = ""] = ownMark().split(" ");
  assert.is(isGone(ownMark()), false);
  for (const unknown of ["", "nonsense", `${boot} ${namespace}`, `${boot} ${namespace} 0 ${start}`]) {
    assert.is(isGone(unknown), false, unknown);
  }
  assert.is(isGone([boot, namespace, 2 ** 30, "-"].join(" ")), true);
  assert.is(isGone([boot, namespace, pid, "-"].join(" ")), false);
  if (process.platform !== "linux") return;
  assert.is(isGone([boot, namespace, pid, "1"].join(" ")), true, "a process with the number of an earlier one");
  assert.is(isGone(["earlier", namespace, pid, start].join(" ")), true, "before the host was started anew");
  assert.is(isGone([boot, "pid:[1]", 2 ** 30, start].join(" ")), false, "a number of another container");
});

test.run();

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { PassageMaker } from "./open-passage.ts";
import type { SandboxSpec } from "./spec.ts";

const user = { uid: 1234, gid: 1234 };

function spec(directory: string): SandboxSpec {
  return {
    storeDirectory: `${directory}/store/x.chroot/store`,
    inputs: [
      { from: `${directory}/store/a`, to: "a" },
      { from: `${directory}/lower/b`, to: "b" },
    ],
    buildDirectory: `${directory}/build`,
    etcDirectory: `${directory}/etc`,
    environment: [],
    network: false,
    devices: [],
    readOnlyProc: [],
    user,
    maxProcesses: 1,
    maxFileBytes: 0,
    maxDataBytes: 0,
    allowNewPrivileges: false,
    filter: new Uint8Array(),
  };
}

test("open() makes no way where everybody gets, and says so when it cannot make one", () => {
  assert.is(new PassageMaker("/nope").open(spec("/"), user), undefined);
  const closed = mkdtempSync(`${tmpdir()}/floe-closed-`);
  try {
    assert.throws(
      () => new PassageMaker("/nope").open(spec(closed), user),
      (error: { code?: string }) => error.code === "sandbox.unreachable",
    );
    if (process.getuid?.() !== 0) return;
    const maker = new PassageMaker();
    const passage = maker.open(spec(closed), user);
    const root = passage?.words.find((word) => word.startsWith("/run/floe-passage-")) ?? "";
    assert.is(passage?.spec.storeDirectory, `${root}/0/x.chroot/store`);
    assert.equal(passage?.spec.inputs, [
      { from: `${root}/0/a`, to: "a" },
      { from: `${root}/3/b`, to: "b" },
    ]);
    assert.equal([passage?.spec.buildDirectory, passage?.spec.etcDirectory], [`${root}/1`, `${root}/2`]);
    maker.close();
  } finally {
    rmSync(closed, { recursive: true });
  }
});

test.run();

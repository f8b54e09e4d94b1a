import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findForkLibrary, spinningRom } from "qemu-wrapper";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HAS_QEMU } from "../qemu-wrapper/testing.ts";
import { Boot, type BootSpecification } from "./boot.ts";
import { ownQemus } from "./testing-qemus.ts";

const root = mkdtempSync(join(tmpdir(), "floe-boot-test-"));
test.after(() => rmSync(root, { recursive: true, force: true }));
const library = findForkLibrary();
const withQemu = HAS_QEMU ? test : test.skip;
const withForks = HAS_QEMU && library !== undefined ? test : test.skip;

/** Start a guest that does nothing. */
function start(extra: Partial<BootSpecification>): Promise<Boot> {
  const folder = mkdtempSync(join(root, "b-"));
  writeFileSync(join(folder, "firmware"), spinningRom());
  return Boot.start({
    ...{ name: "machine", architecture: "x86_64", accelerator: "tcg", memoryMiB: 16, cpus: 1, disks: [], number: 1 },
    ...{ firmware: join(folder, "firmware"), socketFolder: folder, folder },
    ...extra,
  });
}

/** Why a start failed that was under way when its run ended. */
async function failureAtEnd(begin: (signal: AbortSignal) => Promise<Boot>): Promise<unknown> {
  const over = new AbortController();
  setTimeout(() => over.abort(new Error("the run is over")), 100);
  return begin(over.signal).catch(({ message }: Error) => message);
}

withQemu("Boot.start() waits no longer for a QEMU that does not connect when its run is over", async () => {
  const program = join(root, "qemu-system-hangs");
  writeFileSync(program, "#!/bin/sh\nexec sleep 1000\n", { mode: 0o755 });
  assert.is(await failureAtEnd((signal) => start({ qemu: program, signal })), "the run is over");
});

withForks("Boot.start() waits no longer for a fork of a QEMU that hangs when its run is over", async () => {
  const zygote = await start({ ...(library === undefined ? {} : { forkLibrary: library }) });
  const { machine } = zygote;
  zygote.expectEnd();
  await machine.qmp.command("stop");
  process.kill(machine.process.pid, "SIGSTOP");
  const copy = { forked: machine, exchanges: [], console: Buffer.of(), journal: Buffer.of() };
  assert.is(await failureAtEnd((signal) => start({ copy, signal })), "the run is over");
  await machine.cutPower();
  assert.equal(ownQemus(), []);
});

test.run();

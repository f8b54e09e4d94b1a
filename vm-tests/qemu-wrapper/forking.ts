import { writeFile } from "node:fs/promises";
import { release } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CountingMachine, countFault } from "./counting-machine.ts";
import { findForkLibrary } from "./fork-channel.ts";
import { type Accelerator, type Architecture, qemuProgram } from "./platforms.ts";
import { getProgram } from "./programs.ts";
import { withAbort } from "./qmp.ts";
import { countingGuest } from "./rom.ts";
import { makeRunDirectory } from "./run-directory.ts";
import { defaultVerdictFile, findVerdict, type ProbeVerdict, programIdentity } from "./verdicts.ts";

/** Rounds that each machine has to count, so that it is seen to run and to write. */
const ROUNDS = 3;

/** Long enough for what a guest had said to arrive. */
const QUIET_MS = 50;

export interface ProbeForkingOptions {
  readonly architecture: Architecture;
  readonly library: string;
  readonly qemu?: string;
  readonly deadlineMs?: number;
}

/**
 * Stop a guest that counts, fork it twice at once, and let all three count on: each has to go on where it stopped, with memory that the
 * others do not write to. One that is killed must not harm the others, and all have to end with the first.
 */
export async function probeForking(options: ProbeForkingOptions): Promise<ProbeVerdict> {
  const { architecture, library, qemu } = options;
  const run = makeRunDirectory();
  const signal = AbortSignal.timeout(options.deadlineMs ?? 15_000);
  let original: CountingMachine | undefined;
  try {
    await writeFile(join(run.path, "guest"), countingGuest(architecture).bytes);
    // Two processors, so that there are threads which only wait.
    const shape = { memoryFile: { file: join(run.path, "ram"), shared: false }, cpus: 2 };
    original = await CountingMachine.start({
      ...{ architecture, accelerator: "tcg", folder: run.path, shape, forkLibrary: library, signal },
      ...(qemu === undefined ? {} : { qemu }),
    });
    await original.counted(ROUNDS, signal);
    await original.machine.qmp.command("stop", undefined, signal);
    await sleep(QUIET_MS);
    const before = original.text;
    const copies = await Promise.all([original.fork(signal), original.fork(signal)]);
    for (const machine of [...copies, original]) await machine.machine.qmp.command("cont", undefined, signal);
    for (const [index, copy] of copies.entries()) {
      await copy.counted(ROUNDS, signal);
      const fault = countFault(before + copy.text);
      if (fault !== undefined) return { usable: false, reason: `fork ${index + 1} ${fault}` };
    }
    await original.counted(before.split("\n").length + ROUNDS, signal);
    const fault = countFault(original.text);
    if (fault !== undefined) return { usable: false, reason: `a guest that was forked ${fault}` };
    const [killed, left] = copies as [CountingMachine, CountingMachine];
    await killed.machine.cutPower();
    await left.counted(left.text.split("\n").length + ROUNDS, signal);
    await original.machine.cutPower();
    await withAbort(left.machine.process.exited, signal);
    return { usable: true, reason: "two forks of a guest went on where it was" };
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === "qemu.missing") throw error;
    return { usable: false, reason: message, isLate: signal.aborted };
  } finally {
    await original?.machine.cutPower();
    run.remove();
  }
}

/** The library with which QEMU can be forked here, and what was found; remembered for as long as library, QEMU and kernel are the same. */
export async function chooseForking(options: {
  readonly architecture: Architecture;
  readonly accelerator: Accelerator;
  readonly library?: string | undefined;
  readonly qemu?: string;
  readonly cacheFile?: string;
  readonly reprobe?: boolean;
  readonly deadlineMs?: number;
}): Promise<{ readonly library: string | undefined; readonly reason: string }> {
  const { architecture, accelerator, library = findForkLibrary(), deadlineMs } = options;
  if (accelerator !== "tcg") return { library: undefined, reason: `${accelerator} translates nothing` };
  if (library === undefined) return { library, reason: "the library for that was not compiled" };
  const qemu = options.qemu ?? getProgram(qemuProgram(architecture));
  const file = options.cacheFile ?? defaultVerdictFile(`vm-forking-${architecture}`);
  const key = [programIdentity(qemu), programIdentity(library), release()].join("; ");
  const probe = { architecture, library, qemu, ...(deadlineMs === undefined ? {} : { deadlineMs }) };
  const { reprobe } = options;
  const { usable, reason } = await findVerdict({ file, key, reprobe, probe: () => probeForking(probe) });
  return { library: usable ? library : undefined, reason };
}

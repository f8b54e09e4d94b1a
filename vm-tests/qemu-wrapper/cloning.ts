import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CountingMachine, countFault } from "./counting-machine.ts";
import { restoreState, saveState } from "./migration.ts";
import { type Accelerator, type Architecture, qemuProgram } from "./platforms.ts";
import { getProgram } from "./programs.ts";
import { countingGuest } from "./rom.ts";
import { makeRunDirectory } from "./run-directory.ts";
import { defaultVerdictFile, findVerdict, type ProbeVerdict, programIdentity } from "./verdicts.ts";
import type { VirtualMachineShape } from "./virtual-machine.ts";

/**
 * How machines can be copied, the best way first.
 *
 * - `shared-memory`: the memory is a file that each copy maps privately, so that a copy costs what it writes. It relies on QEMU leaving
 *   out shared memory from a state (`x-ignore-shared`), and on a private mapping of the same file where the state is read.
 * - `whole-state`: the memory is in the state file, and each copy reads all of it.
 */
export type CloningMethod = "shared-memory" | "whole-state";

export const CLONING_METHODS: readonly CloningMethod[] = ["shared-memory", "whole-state"];

export interface ProbeCloningOptions {
  readonly architecture: Architecture;
  readonly accelerator: Accelerator;
  readonly method: CloningMethod;
  readonly qemu?: string;
  readonly deadlineMs?: number;
}

/** Rounds that each machine has to count, so that it is seen to run and to write. */
const ROUNDS = 3;

/**
 * Freeze a guest that counts, let two copies of it count on at the same time, and look whether both went on where it stopped, their
 * memory is as it was, and the frozen memory has not changed by it.
 */
export async function probeCloning(options: ProbeCloningOptions): Promise<ProbeVerdict> {
  const { architecture, method } = options;
  const run = makeRunDirectory();
  const machines: CountingMachine[] = [];
  const withoutMemory = method === "shared-memory";
  const memory = join(run.path, "ram");
  const state = join(run.path, "state");
  const signal = AbortSignal.timeout(options.deadlineMs ?? 15_000);
  const start = async (shape: Partial<VirtualMachineShape>): Promise<CountingMachine> => {
    const machine = await CountingMachine.start({ ...options, folder: run.path, shape, signal });
    machines.push(machine);
    return machine;
  };
  try {
    await writeFile(join(run.path, "guest"), countingGuest(architecture).bytes);
    const original = await start(withoutMemory ? { memoryFile: { file: memory, shared: true } } : {});
    await original.counted(ROUNDS, signal);
    await saveState(original.machine.qmp, { file: state, withoutMemory, signal });
    await original.machine.quit();
    const before = withoutMemory ? digestOf(memory) : "";
    const incoming = { incoming: true, ...(withoutMemory ? { memoryFile: { file: memory, shared: false } } : {}) };
    // One after the other, so that none is on its way when the other fails.
    const copies = [await start(incoming), await start(incoming)];
    for (const [index, copy] of copies.entries()) {
      await restoreState(copy.machine, { file: state, withoutMemory, signal });
      await copy.machine.qmp.command("cont", undefined, signal);
      await copy.counted(ROUNDS, signal);
      const fault = countFault(original.text + copy.text);
      if (fault !== undefined) return { usable: false, reason: `copy ${index + 1} ${fault}` };
    }
    if (withoutMemory && digestOf(memory) !== before)
      return { usable: false, reason: "what a copy wrote got into the frozen memory" };
    return { usable: true, reason: `two copies of a guest went on where it was frozen (${method})` };
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === "qemu.missing") throw error;
    return { usable: false, reason: message, isLate: signal.aborted };
  } finally {
    for (const { machine } of machines) await machine.cutPower();
    run.remove();
  }
}

/** A probe of the ways to copy machines, remembered for as long as QEMU's program is the same. */
export async function chooseCloningMethod(options: {
  readonly architecture: Architecture;
  readonly accelerator: Accelerator;
  readonly qemu?: string;
  readonly cacheFile?: string;
  readonly reprobe?: boolean;
  readonly deadlineMs?: number;
}): Promise<{ readonly method: CloningMethod | undefined; readonly reason: string }> {
  const { architecture, accelerator, deadlineMs, reprobe } = options;
  const qemu = options.qemu ?? getProgram(qemuProgram(architecture));
  const reasons: string[] = [];
  for (const method of CLONING_METHODS) {
    const name = `vm-cloning-${architecture}-${accelerator}-${method}`;
    const file = options.cacheFile === undefined ? defaultVerdictFile(name) : `${options.cacheFile}-${method}`;
    const key = programIdentity(qemu);
    const probe = { architecture, accelerator, method, qemu, ...(deadlineMs === undefined ? {} : { deadlineMs }) };
    const verdict = await findVerdict({ file, key, reprobe, probe: () => probeCloning(probe) });
    if (verdict.usable) return { method, reason: [verdict.reason, ...reasons].join("; ") };
    reasons.push(`${method}: ${verdict.reason}`);
  }
  return { method: undefined, reason: reasons.join("; ") };
}

function digestOf(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

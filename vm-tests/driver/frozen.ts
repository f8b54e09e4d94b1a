import { constants, readFileSync, writeFileSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { type CloningMethod, type MemoryFile, saveState } from "qemu-wrapper";
import type { Boot } from "./boot.ts";

/** Files of a frozen machine in its folder. Its disks lie there under the names they have in a machine's own folder. */
export const MEMORY = "ram";
const STATE = "state";
const CONSOLE = "console.txt";
const JOURNAL = "journal.txt";

/** A machine that was stopped at one instant, as files, from which any number of copies go on. */
export interface FrozenMachine {
  readonly folder: string;
  readonly method: CloningMethod;
}

/** The memory of a machine that will be frozen into this folder; `undefined` when it goes into the state. */
export function memoryToFreeze({ folder, method }: FrozenMachine): MemoryFile | undefined {
  return method === "shared-memory" ? { file: join(folder, MEMORY), shared: true } : undefined;
}

/** What a copy is started with. */
export function copyOf({ folder, method }: FrozenMachine): {
  readonly memoryFile?: MemoryFile;
  readonly stateFile: string;
  readonly withoutMemory: boolean;
  readonly console: Buffer;
  readonly journal: Buffer;
} {
  const withoutMemory = method === "shared-memory";
  return {
    stateFile: join(folder, STATE),
    withoutMemory,
    ...(withoutMemory ? { memoryFile: { file: join(folder, MEMORY), shared: false } } : {}),
    console: readFileSync(join(folder, CONSOLE)),
    journal: readFileSync(join(folder, JOURNAL)),
  };
}

/**
 * Stop a running machine and write down what it is. Its memory is in the folder already, when {@link memoryToFreeze} says so.
 *
 * @throws {QemuError} `qemu.not-frozen`, `qemu.state-lost`, `qmp.closed`
 */
export async function freeze(boot: Boot, { folder, method }: FrozenMachine): Promise<void> {
  const { qmp } = boot.machine;
  await saveState(qmp, { file: join(folder, STATE), withoutMemory: method === "shared-memory", signal: boot.signal });
  writeFileSync(join(folder, CONSOLE), boot.console.text());
  writeFileSync(join(folder, JOURNAL), boot.journal.text());
}

/** Copy a disk's file, which its machine must not be writing to. */
export function copyDisk(from: string, to: string): Promise<void> {
  return copyFile(from, to, constants.COPYFILE_FICLONE);
}

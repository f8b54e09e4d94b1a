import { join } from "node:path";
import { tinyGuestShape } from "./accelerator.ts";
import type { Accelerator, Architecture } from "./platforms.ts";
import { countingGuest, readCounts } from "./rom.ts";
import { makeRunDirectory } from "./run-directory.ts";
import { VirtualMachine, type VirtualMachineShape } from "./virtual-machine.ts";

/** Whether counts follow one another from 1 on; what is wrong with them when they do not. */
export function countFault(text: string): string | undefined {
  for (const [index, count] of readCounts(text).entries())
    if (count !== index + 1) return `says ${JSON.stringify(count)} where it should have counted to ${index + 1}`;
  return undefined;
}

export interface CountingMachineOptions {
  readonly architecture: Architecture;
  readonly accelerator: Accelerator;
  readonly qemu?: string;
  /** Folder with the guest's bytes in `guest`. */
  readonly folder: string;
  readonly shape: Partial<VirtualMachineShape>;
  readonly forkLibrary?: string;
  readonly signal: AbortSignal;
}

/** A guest that counts on its console, by which copies of machines are judged. */
export class CountingMachine {
  readonly machine: VirtualMachine;
  readonly #said: Said;
  readonly #folder: string;

  private constructor(machine: VirtualMachine, said: Said, folder: string) {
    this.machine = machine;
    this.#said = said;
    this.#folder = folder;
  }

  static async start(options: CountingMachineOptions): Promise<CountingMachine> {
    const { architecture, accelerator, qemu, folder, shape, forkLibrary, signal } = options;
    const said = new Said();
    const machine = await VirtualMachine.start({
      shape: {
        name: "counting",
        architecture,
        accelerator,
        ...tinyGuestShape(countingGuest(architecture), join(folder, "guest")),
        ...shape,
      },
      folder: makeRunDirectory(folder).path,
      onConsole: (data) => said.push(data),
      signal,
      ...(qemu === undefined ? {} : { qemu }),
      ...(forkLibrary === undefined ? {} : { forkLibrary }),
    });
    return new CountingMachine(machine, said, folder);
  }

  /** A copy of one that is stopped, stopped as well. */
  async fork(signal: AbortSignal): Promise<CountingMachine> {
    const said = new Said();
    const folder = makeRunDirectory(this.#folder).path;
    const machine = await this.machine.fork({ folder, onConsole: (data) => said.push(data), exchanges: [], signal });
    return new CountingMachine(machine, said, this.#folder);
  }

  get text(): string {
    return this.#said.text;
  }

  /** Wait until it has printed that many whole lines, whatever they say. */
  async counted(rounds: number, signal: AbortSignal): Promise<void> {
    while (this.text.split("\n").length <= rounds) {
      await new Promise<void>((resolve, reject) => {
        this.#said.wake = resolve;
        signal.addEventListener("abort", () => reject(notCounting(this.text)), { once: true });
        if (signal.aborted) reject(notCounting(this.text));
      });
    }
  }
}

class Said {
  text = "";
  wake: () => void = () => {};

  push(data: Buffer): void {
    this.text += data.toString("latin1");
    this.wake();
  }
}

function notCounting(said: string): Error {
  return new Error(`a guest that should count said ${JSON.stringify(said)}`);
}

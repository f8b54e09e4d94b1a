import { copyFileSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { makeRunDirectory } from "qemu-wrapper";
import { MEMORY } from "./frozen.ts";
import { packMemory, unpackMemory } from "./packed-memory.ts";
import type { HeldTemplate, TemplateFacts } from "./template-store.ts";

/** File of a template with what is known of it. */
export const FACTS_FILE = "template.json";

/** The memory of one that is an object of the store. */
const PACKED = "ram.packed";

/** Put what a machine was frozen into where a store keeps it. */
export function buildTemplate(from: string, to: string): void {
  for (const name of readdirSync(from)) {
    if (name === MEMORY) packMemory(join(from, name), join(to, PACKED));
    else copyFileSync(join(from, name), join(to, name));
  }
}

/**
 * A template that is an object of the store, which nobody changes or removes while a test has it among its inputs.
 *
 * QEMU 7.2 opens a memory's file for writing even where it maps it privately, which an object of the store forbids. So the memory is made anew, once for all copies: copying it takes a
 * tenth of the time in which QEMU would read it as part of a state.
 */
export class BuiltTemplate {
  readonly #folder: string;
  #held: HeldTemplate | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async hold(): Promise<HeldTemplate> {
    this.#held ??= this.#open();
    return this.#held;
  }

  #open(): HeldTemplate {
    const facts = JSON.parse(readFileSync(join(this.#folder, FACTS_FILE), "utf8")) as TemplateFacts;
    const held = { key: "", facts, release: () => {} };
    if (facts.refused !== undefined) return { ...held, folder: this.#folder };
    // It is gone with the build.
    const folder = makeRunDirectory().path;
    for (const name of readdirSync(this.#folder)) {
      if (name === PACKED) unpackMemory(join(this.#folder, name), join(folder, MEMORY));
      else symlinkSync(join(this.#folder, name), join(folder, name));
    }
    return { ...held, folder };
  }
}

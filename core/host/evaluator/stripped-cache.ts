import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { writeFileAtomic } from "../files/write.ts";
import type { StrippedChanges } from "./protocol.ts";
import { readStripped } from "./read-stripped.ts";

/**
 * Code of a flake's modules without their types, kept between evaluations: JSON of code by the sha256 of its source text.
 *
 * It is made before any code of the flake runs, so no flake can put code under the name of another one's file.
 */
export class StrippedCache {
  readonly #folder: string;
  /** One line of JSON; the evaluation's process reads it, and does without one that is not there or damaged. */
  readonly file: string;

  /**
   * @param folder Where caches are kept; made when the first one is.
   * @param configFile The flake's file on this machine.
   */
  constructor(folder: string, configFile: string) {
    this.#folder = folder;
    // Another Node may strip otherwise.
    this.file = `${folder}/${createHash("sha256").update(`${process.version} ${configFile}`).digest("hex")}.json`;
  }

  /** Take over what an evaluation says, JSON of {@link StrippedChanges}. A cache that cannot be written is no reason to fail. */
  update(changes: string): void {
    try {
      const { add, drop } = JSON.parse(changes) as StrippedChanges;
      const kept = readStripped(this.file);
      for (const sha256 of drop) delete kept[sha256];
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      writeFileAtomic(this.file, JSON.stringify({ ...kept, ...add }), { mode: 0o600 });
    } catch {
      return;
    }
  }
}

import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { writeFileAtomic } from "../files/write.ts";
import type { AgentQuestion, StrippedChanges } from "./protocol.ts";
import { type KeptModules, questionKey, readModuleCache } from "./read-module-cache.ts";

/** Of how many questions it is known what they load later: those that changed last. */
const QUESTIONS = 32;

/**
 * What evaluations of a flake keep of its modules for the next one: code without types, and which files are loaded while code of the
 * flake runs, because another one names them only then.
 *
 * Code is made before any code of the flake runs, so no flake can put code in the place of another one's file. Which files are loaded is
 * what an evaluation says; it decides what is looked at beforehand, and nothing else.
 */
export class ModuleCache {
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

  /** Take over what an evaluation says, JSON of {@link StrippedChanges}. */
  update(changes: string): void {
    this.#change(({ code, later }) => {
      const { add, drop } = JSON.parse(changes) as StrippedChanges;
      const dropped = new Set(drop);
      const left = Object.entries(code).filter(([path]) => !dropped.has(path));
      return { code: { ...Object.fromEntries(left), ...add }, later };
    });
  }

  /** What this question will load later, most likely. */
  expect(question: AgentQuestion, paths: readonly string[]): void {
    const key = questionKey(question);
    this.#change(({ code, later }) => {
      const others = Object.entries(later).filter(([other]) => other !== key);
      return { code, later: Object.fromEntries([...others.slice(1 - QUESTIONS), [key, paths]]) };
    });
  }

  /** A cache that cannot be written is no reason to fail. */
  #change(change: (kept: KeptModules) => KeptModules): void {
    try {
      const json = JSON.stringify(change(readModuleCache(this.file)));
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      writeFileAtomic(this.file, json, { mode: 0o600 });
    } catch {
      return;
    }
  }
}

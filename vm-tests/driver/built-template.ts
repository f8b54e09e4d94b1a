import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { HeldTemplate, TemplateFacts } from "./template-store.ts";

/** File of a template with what is known of it. */
export const FACTS_FILE = "template.json";

/** A template that is an object of the store, which nobody changes or removes while a test has it among its inputs. */
export class BuiltTemplate {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async hold(): Promise<HeldTemplate> {
    const facts = JSON.parse(readFileSync(join(this.#folder, FACTS_FILE), "utf8")) as TemplateFacts;
    return { key: "", folder: this.#folder, facts, release: () => {} };
  }
}

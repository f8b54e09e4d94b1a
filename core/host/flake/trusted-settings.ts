import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname } from "node:path";
import * as v from "valibot";
import { CodedError, sortedText } from "../../base/index.ts";
import { writeFileAtomic } from "../files/write.ts";
import { lockFileSync } from "../local-store/index.ts";

const document = v.object({
  version: v.literal(1),
  /** By the name of a setting, then by the JSON of its value. */
  settings: v.record(v.string(), v.record(v.string(), v.boolean())),
});
type Document = v.InferOutput<typeof document>;

/** Where it is remembered what a user said. */
export function defaultTrustedSettings(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  home = homedir(),
): string {
  return `${environment["XDG_DATA_HOME"] || `${home}/.local/share`}/floe/trusted-settings.json`;
}

/** What a user said of settings that flakes carry: whether a value may always be used, or never. */
export class TrustedSettings {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /**
   * @returns `undefined` when the user was not asked, or for that once.
   * @throws {CodedError} `flake.trust-malformed`
   */
  find(name: string, value: unknown): boolean | undefined {
    const { settings } = this.#read();
    const values = Object.hasOwn(settings, name) ? settings[name] : undefined;
    const key = JSON.stringify(value);
    return values !== undefined && Object.hasOwn(values, key) ? values[key] : undefined;
  }

  /** Remember it for good, beside what others remember at the same time. */
  keep(name: string, value: unknown, isTrusted: boolean): void {
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
    const lock = openSync(`${this.#file}.lock`, "a", 0o600);
    try {
      lockFileSync(lock, "exclusive", { wait: true });
      const { settings } = this.#read();
      const changed = { ...settings, [name]: { ...settings[name], [JSON.stringify(value)]: isTrusted } };
      const sorted = Object.fromEntries(sortedText(Object.keys(changed)).map((each) => [each, changed[each]]));
      const text = `${JSON.stringify({ version: 1, settings: sorted }, undefined, 2)}\n`;
      writeFileAtomic(this.#file, text, { mode: 0o600, sync: true });
    } finally {
      closeSync(lock);
    }
  }

  #read(): Document {
    let text: string;
    try {
      text = readFileSync(this.#file, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return { version: 1, settings: {} };
      throw error;
    }
    try {
      const result = v.safeParse(document, JSON.parse(text));
      if (result.success) return result.output;
    } catch {
      // It is no JSON.
    }
    throw new CodedError(
      "flake.trust-malformed",
      `Cannot read whom to trust in "${this.#file}": expected { "version": 1, "settings": { … } }`,
      { hint: `Mend it, or remove it to be asked again: rm ${this.#file}` },
    );
  }
}

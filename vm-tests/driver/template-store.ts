import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { compareText } from "../../core/base/index.ts";
import { removeTree, syncPath, temporaryName } from "../../core/host/files/index.ts";
import { FACTS_FILE } from "./built-template.ts";
import { lockFile, lockFileSync } from "../../core/host/local-store/index.ts";
import { once } from "./once.ts";

/** What is known of a template without opening it. */
export interface TemplateFacts {
  /** Name of the machine it was made for. */
  readonly machine: string;
  readonly architecture: string;
  readonly accelerator: string;
  /** Why machines of this key cannot be copied; `undefined` for those that can. */
  readonly refused?: string;
}

/** A template as the command line lists it. */
export interface ListedTemplate extends TemplateFacts {
  readonly key: string;
  /** What it takes on disk. */
  readonly sizeBytes: number;
  readonly usedAt: Date;
}

/** Gives templates, and makes those that are missing. */
export interface TemplateHolder {
  hold(key: string, make: (folder: string) => Promise<TemplateFacts>, signal?: AbortSignal): Promise<HeldTemplate>;
}

/** A template that stays where it is until it is released. */
export interface HeldTemplate {
  readonly key: string;
  readonly folder: string;
  readonly facts: TemplateFacts;
  release(): void;
}

/** Templates are kept until they take more than this together. A machine of 1 GiB takes about 200 MB. */
const LIMIT_BYTES = 6 * 1024 ** 3;

/** Where templates are by default: `$XDG_CACHE_HOME/floe/vm-templates`. */
export function defaultTemplateFolder(environment: Readonly<Record<string, string | undefined>>): string {
  const cache = environment["XDG_CACHE_HOME"] || join(environment["HOME"] || homedir(), ".cache");
  return join(cache, "floe", "vm-templates");
}

/**
 * Machines that were booted once and frozen, by what they were made of. Processes share it.
 *
 * Shape: for each key a folder `KEY`, which appears under its name when all that is in it is on the disk, and two locks. `KEY.lock` is
 * shared by those who use the template, since copies go on reading its disk, and held alone by who removes it; `KEY.make` is held by the one
 * who makes it.
 */
export class TemplateStore implements TemplateHolder {
  readonly folder: string;
  readonly #limitBytes: number;

  constructor(folder: string, options: { readonly limitBytes?: number } = {}) {
    this.folder = folder;
    this.#limitBytes = options.limitBytes ?? LIMIT_BYTES;
  }

  /**
   * The template of a key. When there is none yet, `make` fills an empty folder with it; others that want it wait for that.
   *
   * @throws whatever `make` raises; nothing is left of its work then.
   */
  async hold(
    key: string,
    make: (folder: string) => Promise<TemplateFacts>,
    signal?: AbortSignal,
  ): Promise<HeldTemplate> {
    mkdirSync(this.folder, { recursive: true });
    const use = this.#open(key, "lock");
    try {
      await lockFile(use, "shared", { wait: true, signal });
      if (this.#read(key) === undefined) await this.#makeOnce(key, make, signal);
      const facts = this.#read(key);
      if (facts === undefined) throw new Error(`the template ${key} is not there although it was made`);
      const now = new Date();
      utimesSync(join(this.folder, key, FACTS_FILE), now, now);
      return { key, folder: join(this.folder, key), facts, release: once(() => closeSync(use)) };
    } catch (error) {
      closeSync(use);
      throw error;
    }
  }

  /** All templates, the one used last first. */
  list(): ListedTemplate[] {
    return this.#keys()
      .flatMap((key) => {
        const facts = this.#read(key);
        const folder = join(this.folder, key);
        if (facts === undefined) return [];
        return [{ key, ...facts, sizeBytes: sizeOf(folder), usedAt: statSync(join(folder, FACTS_FILE)).mtime }];
      })
      .sort((one, other) => other.usedAt.getTime() - one.usedAt.getTime() || compareText(one.key, other.key));
  }

  /** Remove a template unless it is in use. @returns whether it is gone. */
  remove(key: string): boolean {
    const fd = this.#open(key, "lock");
    try {
      if (!lockFileSync(fd, "exclusive", { wait: false })) return false;
      const folder = join(this.folder, key);
      const trash = temporaryName(folder);
      try {
        renameSync(folder, trash);
      } catch {
        return true;
      }
      removeTree(trash);
      return true;
    } finally {
      closeSync(fd);
    }
  }

  /** Remove templates, those not used for longest first, until the rest takes no more than the limit. */
  trim(): void {
    let sum = 0;
    for (const { key, sizeBytes } of this.list()) {
      sum += sizeBytes;
      if (sum > this.#limitBytes && this.remove(key)) sum -= sizeBytes;
    }
    this.#removeUnfinished();
  }

  async #makeOnce(key: string, make: (folder: string) => Promise<TemplateFacts>, signal?: AbortSignal): Promise<void> {
    const fd = this.#open(key, "make");
    try {
      await lockFile(fd, "exclusive", { wait: true, signal });
      if (this.#read(key) === undefined) await this.#make(key, make);
    } finally {
      closeSync(fd);
    }
  }

  /** The file of a lock: `lock` of those who use the template, `make` of the one who makes it. */
  #open(key: string, kind: "lock" | "make"): number {
    return openSync(join(this.folder, `${key}.${kind}`), "a");
  }

  async #make(key: string, make: (folder: string) => Promise<TemplateFacts>): Promise<void> {
    const folder = join(this.folder, key);
    // What makers that were killed left behind: we hold the lock they would hold.
    for (const name of readdirSync(this.folder))
      if (name.startsWith(`${key}.tmp-`)) removeTree(join(this.folder, name));
    const unfinished = temporaryName(folder);
    mkdirSync(unfinished, { mode: 0o700 });
    try {
      const facts = await make(unfinished);
      writeFileSync(join(unfinished, FACTS_FILE), JSON.stringify(facts));
      for (const name of readdirSync(unfinished)) syncPath(join(unfinished, name));
      syncPath(unfinished);
      renameSync(unfinished, folder);
      syncPath(this.folder);
    } catch (error) {
      removeTree(unfinished);
      throw error;
    }
    this.trim();
  }

  #read(key: string): TemplateFacts | undefined {
    try {
      return JSON.parse(readFileSync(join(this.folder, key, FACTS_FILE), "utf8")) as TemplateFacts;
    } catch {
      return undefined;
    }
  }

  #keys(): string[] {
    try {
      return readdirSync(this.folder).filter((name) => /^[0-9a-f]{64}$/.test(name));
    } catch {
      return [];
    }
  }

  /** The same for keys that nobody is making any more. */
  #removeUnfinished(): void {
    for (const name of readdirSync(this.folder)) {
      const [, key] = /^([0-9a-f]{64})\.tmp-\d+-\d+$/.exec(name) ?? [];
      if (key === undefined) continue;
      const fd = this.#open(key, "make");
      try {
        if (lockFileSync(fd, "exclusive", { wait: false })) removeTree(join(this.folder, name));
      } finally {
        closeSync(fd);
      }
    }
  }
}

/** Bytes that files take on disk, which for a sparse one is less than its size. */
function sizeOf(folder: string): number {
  try {
    return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).blocks * 512, 0);
  } catch {
    return 0;
  }
}

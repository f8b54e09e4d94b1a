import { type FSWatcher, watch as watchFolder } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findFlake } from "../../../../core/host/flake/index.ts";
import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import { keyOfTest } from "../../../../vm-tests/driver/index.ts";
import type { CliContext } from "../../context.ts";
import { showError } from "../../errors.ts";
import { openStore } from "../../store.ts";
import type { RunFlags } from "./index.ts";
import type { PreparedTest } from "./prepare.ts";
import { prepareAloud, runTests } from "./run.ts";
import { selectTests } from "./select-tests.ts";

/** Editors write a file in several goes, and programs many files at a time. */
const SETTLE_MS = 200;

/** The tests as they are now, with their keys, and the folders whose files they are made of. */
interface Look {
  readonly tests: readonly (PreparedTest & { readonly edition: string })[];
  readonly folders: ReadonlySet<string>;
}

/**
 * `floe vm-test run --watch`: run tests, and those of them again that are others when a file has changed: by their systems, or by what their stories may
 * load. It goes on until it is interrupted.
 */
export async function watch(context: CliContext, flags: RunFlags, words: readonly string[]): Promise<void> {
  using store = openStore(flags);
  const ran = new Map<string, string>();
  for (;;) {
    // What changes from here on is seen by the next look.
    using changes = new FolderWatch(await flakeFolders(context, flags));
    try {
      const { tests, folders } = await look(context, { ...flags, quiet: true }, store, words);
      changes.add(folders);
      const due = tests.filter(({ attribute, edition }) => ran.get(attribute) !== edition);
      for (const { attribute, edition } of due) ran.set(attribute, edition);
      if (due.length > 0) await runTests(context, flags, store, due);
    } catch (error) {
      context.signal.throwIfAborted();
      // A file that is half written, say: the next change may mend it.
      context.say(showError(error, { cwd: context.cwd, color: context.terminal.color }));
    }
    if (!flags.quiet) context.say("waiting for changes; Ctrl-C ends this");
    await changes.next(context.signal);
    await sleep(SETTLE_MS, undefined, { signal: context.signal }).catch(() => context.signal.throwIfAborted());
  }
}

async function look(context: CliContext, flags: RunFlags, store: LocalStore, words: readonly string[]): Promise<Look> {
  const tests: (PreparedTest & { readonly edition: string })[] = [];
  const folders = new Set<string>();
  for (const name of await selectTests(context, flags, words)) {
    const test = await prepareAloud(context, flags, store, name);
    const { manifest, flakeFolder } = test;
    const { key, files } = keyOfTest({ manifest, storyFile: manifest.story, flakeFolder });
    tests.push({ ...test, edition: key });
    for (const file of files) folders.add(dirname(file));
  }
  return { tests, folders };
}

/** Folders of everything that counts of a flake, since its machines may be made of all of it. */
async function flakeFolders({ cwd }: CliContext, { flake }: RunFlags): Promise<ReadonlySet<string>> {
  const { directory, sourceDirectory, files = [] } = await findFlake(flake, cwd);
  return new Set([directory, sourceDirectory, ...files.map((file) => dirname(join(sourceDirectory, file)))]);
}

/** Tells of changes in folders since it was made. */
class FolderWatch {
  readonly #watchers = new Map<string, FSWatcher>();
  #changed = false;
  #wake = (): void => {};

  constructor(folders: ReadonlySet<string>) {
    this.add(folders);
  }

  add(folders: ReadonlySet<string>): void {
    for (const folder of folders) {
      if (this.#watchers.has(folder)) continue;
      try {
        const watcher = watchFolder(folder, { persistent: true }, () => {
          this.#changed = true;
          this.#wake();
        });
        // A folder that is removed is a change of the one above it.
        watcher.on("error", () => watcher.close());
        this.#watchers.set(folder, watcher);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      }
    }
  }

  /** Settles when something has changed. @throws the reason of the signal */
  async next(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#changed) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    signal.throwIfAborted();
  }

  [Symbol.dispose](): void {
    for (const watcher of this.#watchers.values()) watcher.close();
  }
}

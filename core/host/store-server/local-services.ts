import type { SubstitutionSettings } from "../../build/index.ts";
import { checkTrusted, type StorePath } from "../../store/index.ts";
import { BuildLogWriter } from "../build-log/index.ts";
import type { LocalStore } from "../local-store/index.ts";
import { ed25519 } from "../signing/index.ts";
import type { Substituters } from "../substitute/index.ts";
import type { CollectRequest, StoreServices } from "./served-store.ts";

export interface LocalServicesOptions {
  /** Other stores that objects are taken from, and keys that count. Default none: only content-addressed objects pass a check. */
  readonly settings?: (() => SubstitutionSettings) | undefined;
  /** Told what is wrong with another store. */
  readonly warn?: ((message: string) => void) | undefined;
}

export interface LocalServices extends StoreServices {
  /** Give back what was opened besides the store. */
  close(): Promise<void>;
}

const NO_SETTINGS: SubstitutionSettings = { substituters: [], trustedKeys: [] };

/** Everything a store of this machine can do for its clients; what it needs for that is loaded when it is asked for. */
export function localServices(store: LocalStore, options: LocalServicesOptions = {}): LocalServices {
  const ended = new AbortController();
  let settings: SubstitutionSettings | undefined;
  let substituters: Promise<Substituters | undefined> | undefined;

  const findSettings = (): SubstitutionSettings => (settings ??= options.settings?.() ?? NO_SETTINGS);
  const findSubstituters = (): Promise<Substituters | undefined> => (substituters ??= openSubstituters());

  async function openSubstituters(): Promise<Substituters | undefined> {
    if (findSettings().substituters.length === 0) return undefined;
    const { openSubstituters: open } = await import("../substitute/index.ts");
    const warn = options.warn ?? (() => {});
    return open({ settings: findSettings(), cwd: "/", warn, signal: ended.signal });
  }

  return {
    store,
    checkTrusted(info) {
      const { trustedKeys, requireSignatures } = findSettings();
      if (requireSignatures !== false) checkTrusted(info, trustedKeys, ed25519, store.storeDirectory);
    },
    async findSubstitutes(paths) {
      const offers = await (await findSubstituters())?.query(paths);
      return new Map(
        [...(offers ?? [])].map(([path, { info, downloadSize }]) => [path, { info, downloadBytes: downloadSize ?? 0 }]),
      );
    },
    async substitute(paths, { events, signal }) {
      const sources = await findSubstituters();
      const offered = [...((await sources?.query(paths)) ?? new Map<StorePath, unknown>()).keys()];
      if (offered.length === 0) return;
      const { buildPaths } = await import("../builder/index.ts");
      const run = { substituters: sources, keepGoing: true, events, signal };
      await buildPaths({ store, targets: [], paths: offered, options: run });
    },
    async build({ targets, derivations, settings: wanted, rebuild, events, signal }) {
      const { buildPaths } = await import("../builder/index.ts");
      const { substitute, maxJobs, ...limits } = wanted;
      return buildPaths({
        store,
        targets,
        derivations,
        options: {
          ...limits,
          ...(maxJobs === undefined ? {} : { maxJobs }),
          substituters: substitute ? await findSubstituters() : undefined,
          rebuild,
          events,
          signal,
        },
      });
    },
    addSignatures(path, signatures) {
      store.addSignatures(new Map([[path, signatures]]));
    },
    registerRoot: (link) => store.registerRoot(link),
    addPermanentRoot: (link, path) => store.addIndirectRoot(link, path),
    async findRoots() {
      const { collectGarbage } = await import("../collector/index.ts");
      const { roots } = await collectGarbage({ root: store.root, dryRun: true, measure: false });
      return roots.map(({ from, path }) => ({ link: from, path }));
    },
    collect: (request) => collect(store, request),
    async addBuildLog(drvPath, log) {
      const writer = new BuildLogWriter(store.logDirectory, drvPath);
      try {
        for await (const piece of log) writer.write(Buffer.from(piece));
      } finally {
        await writer.close();
      }
    },
    async close() {
      ended.abort();
      await (await substituters)?.close();
    },
  };
}

async function collect(
  store: LocalStore,
  { action, paths, maxFreedBytes }: CollectRequest,
): Promise<{ paths: readonly string[]; freedBytes: number }> {
  const { collectGarbage, deletePaths } = await import("../collector/index.ts");
  const { root } = store;
  switch (action) {
    case "live":
    case "dead": {
      const report = await collectGarbage({ root, dryRun: true, measure: false });
      return { paths: report[action], freedBytes: 0 };
    }
    case "delete-specific": {
      const { dead, freedBytes } = await deletePaths({ root, paths });
      return { paths: dead, freedBytes };
    }
    case "delete": {
      const { dead, freedBytes } = await collectGarbage({ root, maxFreedBytes });
      // With a limit some of the dead are left.
      return { paths: dead.filter((path) => !store.isValid(path)), freedBytes };
    }
  }
}

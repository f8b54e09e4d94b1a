import { applyClientSubstitution, type BuildSettings, type SubstitutionSettings } from "../../build/index.ts";
import {
  checkTrusted,
  formatRealisation,
  parseRealisation,
  parseRealisationId,
  type SecretKey,
  type StorePath,
} from "../../store/index.ts";
import { BuildLogWriter } from "../build-log/index.ts";
import type { LocalStore } from "../local-store/index.ts";
import { ed25519 } from "../signing/index.ts";
import type { AnyStore } from "../stores/index.ts";
import type { Substituters } from "../substitute/index.ts";
import type { CollectRequest, StoreServices } from "./served-store.ts";

export interface LocalServicesOptions {
  /** Other stores that objects are taken from, and keys that count. Default none: only content-addressed objects pass a check. */
  readonly settings?: (() => SubstitutionSettings) | undefined;
  /** Keys that what is built is signed with. Default none. */
  readonly secretKeys?: (() => readonly SecretKey[]) | undefined;
  /** How this machine builds; clients have no say in it. Default as `BuildOptions` has it. */
  readonly buildSettings?: (() => BuildSettings) | undefined;
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
    async configure(named, trusted) {
      const client = applyClientSubstitution(options.settings?.() ?? NO_SETTINGS, named, trusted);
      const before = substituters;
      settings = client.settings;
      substituters = undefined;
      await (await before)?.close();
      return client.refused;
    },
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
          secretKeys: options.secretKeys?.(),
          ...options.buildSettings?.(),
          rebuild,
          events,
          signal,
        },
      });
    },
    addSignatures(path, signatures) {
      store.addSignatures(new Map([[path, signatures]]));
    },
    queryRealisation(id) {
      const found = store.queryRealisation(parseRealisationId(id));
      return found === undefined ? undefined : formatRealisation(found);
    },
    registerRealisation: (text) => store.addRealisations([parseRealisation(text, store.storeDirectory)]),
    registerRoot: (link) => store.registerRoot(link),
    addPermanentRoot: (link, path) => store.addIndirectRoot(link, path),
    async findRoots() {
      const { collectGarbage } = await import("../collector/index.ts");
      const { roots, temporaryRoots } = await collectGarbage({ root: store.layout, dryRun: true, measure: false });
      return [
        ...roots.map(({ from, path }) => ({ link: from, path })),
        ...temporaryRoots.map(({ pid, path }) => ({ link: `{temp:${pid}}`, path: path as StorePath })),
      ];
    },
    collect: (request) => collect(store, request),
    async optimise() {
      const { optimiseStore } = await import("../maintenance/index.ts");
      await optimiseStore(store);
    },
    verify: (request, say) => verify(store, { ...request, sources: findSettings().substituters, say }),
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

interface VerifyRequest {
  readonly contents: boolean;
  readonly repair: boolean;
  /** Addresses of stores that may have whole copies. */
  readonly sources: readonly string[];
  readonly say: (line: string) => void;
}

/** @returns Whether faults are left. */
async function verify(store: LocalStore, { contents, repair, sources, say }: VerifyRequest): Promise<boolean> {
  const maintenance = await import("../maintenance/index.ts");
  const findings = await maintenance.verifyStore(store, { contents });
  maintenance.settle(store, findings);
  if (findings.faults.length === 0) return false;
  if (!repair) {
    for (const { path, found } of findings.faults) say(`${path}: ${found}`);
    return true;
  }
  const { openStoreUrl } = await import("../stores/index.ts");
  const opened: AnyStore[] = [];
  try {
    for (const url of sources) opened.push(await openStoreUrl(url, { cwd: "/" }));
    const outcomes = await maintenance.repair(store, findings.faults, { sources: opened, onStep: say });
    const left = outcomes.filter(({ repaired }) => !repaired);
    for (const { fault, words } of left) say(`${fault.path}: ${fault.found}; ${words}`);
    return left.length > 0;
  } finally {
    for (const each of opened) each.close();
  }
}

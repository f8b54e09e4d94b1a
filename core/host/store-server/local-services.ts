import { checkTrusted, type PublicKey } from "../../store/index.ts";
import { BuildLogWriter } from "../build-log/index.ts";
import type { LocalStore } from "../local-store/index.ts";
import { ed25519 } from "../signing/index.ts";
import type { StoreServices } from "./served-store.ts";

export interface LocalServicesOptions {
  /** Keys whose signatures count. Default none: only content-addressed objects are taken from clients that are checked. */
  readonly trustedKeys?: readonly PublicKey[];
}

/** Everything a store of this machine can do for its clients; what it needs for that is loaded when it is asked for. */
export function localServices(store: LocalStore, { trustedKeys = [] }: LocalServicesOptions = {}): StoreServices {
  return {
    store,
    checkTrusted: (info) => checkTrusted(info, trustedKeys, ed25519, store.storeDirectory),
    addSignatures(path, signatures) {
      store.addSignatures(new Map([[path, signatures]]));
    },
    registerRoot: (link) => store.registerRoot(link),
    addPermanentRoot: (link, path) => store.addIndirectRoot(link, path),
    async addBuildLog(drvPath, log) {
      const writer = new BuildLogWriter(store.logDirectory, drvPath);
      try {
        for await (const piece of log) writer.write(Buffer.from(piece));
      } finally {
        await writer.close();
      }
    },
    async build({ targets, derivations, settings, rebuild, events, signal }) {
      const { buildPaths } = await import("../builder/index.ts");
      return buildPaths({
        store,
        targets,
        derivations,
        options: {
          keepFailed: settings.keepFailed,
          keepGoing: settings.keepGoing,
          ...(settings.maxJobs === undefined ? {} : { maxJobs: settings.maxJobs }),
          cores: settings.cores,
          timeoutSeconds: settings.timeoutSeconds,
          maxSilentSeconds: settings.maxSilentSeconds,
          maxLogBytes: settings.maxLogBytes,
          rebuild,
          events,
          signal,
        },
      });
    },
  };
}

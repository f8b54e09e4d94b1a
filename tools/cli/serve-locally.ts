import { readBuildSettings } from "../../core/host/builder/settings.ts";
import type { LocalStore } from "../../core/host/local-store/index.ts";
import { type LocalServices, localServices } from "../../core/host/store-server/index.ts";
import { readSubstitutionSettings } from "../../core/host/substitute/index.ts";
import { readSigningKeys } from "../../core/host/signing/index.ts";
import type { CliContext } from "./context.ts";

/** What a store of this machine does for its clients, with the other stores and keys of the machine's settings. */
export function serveLocally(context: CliContext, store: LocalStore): LocalServices {
  return localServices(store, {
    settings: () => readSubstitutionSettings(),
    secretKeys: () => readSigningKeys(),
    buildSettings: () => readBuildSettings(),
    warn: (message) => context.say(`warning: ${message}`),
  });
}

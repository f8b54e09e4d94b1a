import { buildRouteMap } from "@stricli/core";
import type { CliContext } from "./context.ts";
import { hashCommands } from "./commands/hash/index.ts";
import { narCommands } from "./commands/nar/index.ts";
import { storeCommands } from "./commands/store/index.ts";

/** Every command of the program. One line per noun: `import` its route map (light: flags and words only) and list it. */
export const routes = buildRouteMap<string, CliContext>({
  routes: {
    hash: hashCommands,
    nar: narCommands,
    store: storeCommands,
  },
  docs: { brief: "Declarative systems: lock, evaluate, build, boot and roll back from flake.config.ts" },
});

import { buildRouteMap } from "@stricli/core";
import type { CliContext } from "./context.ts";
import { buildCommandSpec } from "./commands/build/index.ts";
import { cacheCommands } from "./commands/cache/index.ts";
import { daemonCommandSpec } from "./commands/daemon/index.ts";
import { derivationCommands } from "./commands/derivation/index.ts";
import { developCommandSpec } from "./commands/develop/index.ts";
import { evalCommand } from "./commands/eval/index.ts";
import { flakeCommands } from "./commands/flake/index.ts";
import { fmtCommandSpec } from "./commands/fmt/index.ts";
import { hashCommands } from "./commands/hash/index.ts";
import { keyCommands } from "./commands/key/index.ts";
import { logCommandSpec } from "./commands/log/index.ts";
import { narCommands } from "./commands/nar/index.ts";
import { optionCommands } from "./commands/option/index.ts";
import { registryCommands } from "./commands/registry/index.ts";
import { replCommandSpec } from "./commands/repl/index.ts";
import { runCommandSpec } from "./commands/run/index.ts";
import { searchCommandSpec } from "./commands/search/index.ts";
import { copyCommandSpec } from "./commands/store/exchange.ts";
import { storeCommands } from "./commands/store/index.ts";
import { timeMachineCommandSpec } from "./commands/time-machine/index.ts";
import { vmTestCommands } from "./commands/vm-test/index.ts";
import { systemCommands } from "./commands/system/index.ts";

/** Every command of the program. One line per noun: `import` its route map (light: flags and words only) and list it. */
export const routes = buildRouteMap<string, CliContext>({
  routes: {
    build: buildCommandSpec,
    run: runCommandSpec,
    key: keyCommands,
    log: logCommandSpec,
    flake: flakeCommands,
    eval: evalCommand,
    cache: cacheCommands,
    copy: copyCommandSpec,
    daemon: daemonCommandSpec,
    derivation: derivationCommands,
    develop: developCommandSpec,
    fmt: fmtCommandSpec,
    hash: hashCommands,
    nar: narCommands,
    option: optionCommands,
    registry: registryCommands,
    repl: replCommandSpec,
    search: searchCommandSpec,
    store: storeCommands,
    "time-machine": timeMachineCommandSpec,
    "vm-test": vmTestCommands,
    system: systemCommands,
  },
  docs: { brief: "Declarative systems: lock, evaluate, build, boot and roll back from flake.config.ts" },
});

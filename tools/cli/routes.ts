import { buildRouteMap, type Command, type RouteMap } from "@stricli/core";
import type { CliContext } from "./context.ts";

/** What a noun stands for: its verbs, or a command of its own. */
type Noun = RouteMap<CliContext> | Command<CliContext>;

/** Every command of the program. One line per noun: where its route map is (light: flags and words only). */
const NOUNS: Readonly<Record<string, () => Promise<Noun>>> = {
  build: async () => (await import("./commands/build/index.ts")).buildCommandSpec,
  run: async () => (await import("./commands/run/index.ts")).runCommandSpec,
  key: async () => (await import("./commands/key/index.ts")).keyCommands,
  log: async () => (await import("./commands/log/index.ts")).logCommandSpec,
  flake: async () => (await import("./commands/flake/index.ts")).flakeCommands,
  eval: async () => (await import("./commands/eval/index.ts")).evalCommand,
  cache: async () => (await import("./commands/cache/index.ts")).cacheCommands,
  copy: async () => (await import("./commands/store/exchange.ts")).copyCommandSpec,
  daemon: async () => (await import("./commands/daemon/index.ts")).daemonCommandSpec,
  derivation: async () => (await import("./commands/derivation/index.ts")).derivationCommands,
  develop: async () => (await import("./commands/develop/index.ts")).developCommandSpec,
  fmt: async () => (await import("./commands/fmt/index.ts")).fmtCommandSpec,
  hash: async () => (await import("./commands/hash/index.ts")).hashCommands,
  nar: async () => (await import("./commands/nar/index.ts")).narCommands,
  option: async () => (await import("./commands/option/index.ts")).optionCommands,
  registry: async () => (await import("./commands/registry/index.ts")).registryCommands,
  repl: async () => (await import("./commands/repl/index.ts")).replCommandSpec,
  search: async () => (await import("./commands/search/index.ts")).searchCommandSpec,
  store: async () => (await import("./commands/store/index.ts")).storeCommands,
  "time-machine": async () => (await import("./commands/time-machine/index.ts")).timeMachineCommandSpec,
  "vm-test": async () => (await import("./commands/vm-test/index.ts")).vmTestCommands,
  system: async () => (await import("./commands/system/index.ts")).systemCommands,
};

/**
 * The commands that a command line may mean: those of its noun, else all. Looking through the flags of all of them takes longer than
 * many a command.
 */
export async function routesFor([noun = ""]: readonly string[]): Promise<RouteMap<CliContext>> {
  const names = Object.hasOwn(NOUNS, noun) ? [noun] : Object.keys(NOUNS);
  const found = await Promise.all(
    names.map(async (name) => [name, await (NOUNS[name] as () => Promise<Noun>)()] as const),
  );
  return buildRouteMap<string, CliContext>({
    routes: Object.fromEntries(found),
    docs: { brief: "Declarative systems: lock, evaluate, build, boot and roll back from flake.config.ts" },
  });
}

/**
 * The `floe` program of a machine: the commands that work on it, and nothing that evaluates or builds. It is
 * bundled to one file, and starts in a fraction of the time of the whole program.
 */
import { buildRouteMap } from "@stricli/core";
import { machineCommands } from "./commands/system/machine-commands.ts";
import type { CliContext } from "./context.ts";
import { runProgram } from "./program.ts";
import { VERSION } from "./version.ts";

const system = buildRouteMap<string, CliContext>({
  routes: machineCommands,
  docs: { brief: "Switch, boot and roll back this machine" },
});

await runProgram({
  name: "floe",
  version: VERSION,
  routes: buildRouteMap<string, CliContext>({ routes: { system }, docs: { brief: "Floe on this machine" } }),
  unknownHint:
    "This is the floe of a machine, which switches, boots and rolls back it alone. Evaluate, build and test with the floe of the host that has its flake.",
  arguments: process.argv.slice(2),
});

/** `node build-once.ts ROOT DRV [--no-sandbox | --relaxed] [--rebuild]`: build one derivation in a process of its own, to be killed or enclosed. */
import type { SandboxMode } from "../../../build/index.ts";
import type { StorePath } from "../../../store/index.ts";
import { openLocalStore } from "../../local-store/index.ts";
import { buildPaths } from "../build-paths.ts";

const [root = "", drvPath = "", ...flags] = process.argv.slice(2);
using store = openLocalStore({ root });
const sandbox: SandboxMode = flags.includes("--relaxed") ? "relaxed" : !flags.includes("--no-sandbox");
const options = { sandbox, rebuild: flags.includes("--rebuild") };
const report = await buildPaths({ store, targets: [{ drvPath: drvPath as StorePath }], options });
for (const { error } of report.failures) console.error(error.message, error.details);
process.exitCode = report.exitCode;

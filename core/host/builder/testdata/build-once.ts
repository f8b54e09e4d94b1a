/** `node build-once.ts ROOT DRV`: build one derivation in a process of its own, to be killed. */
import type { StorePath } from "../../../store/index.ts";
import { openLocalStore } from "../../local-store/index.ts";
import { buildPaths } from "../build-paths.ts";

const [root = "", drvPath = ""] = process.argv.slice(2);
using store = openLocalStore({ root });
const report = await buildPaths({ store, targets: [{ drvPath: drvPath as StorePath }] });
process.exitCode = report.exitCode;

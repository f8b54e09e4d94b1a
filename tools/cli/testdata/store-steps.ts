/**
 * Does steps on a store, each once, and prints on lines what was done and `failed STEP CODE` for those that failed. Arguments: folder,
 * slot, seed, steps; or folder and `verify` or `collect`. Without any it ends.
 */
import { writeSync } from "node:fs";
import { collectGarbage } from "../../../core/host/collector/index.ts";
import { openLocalStore } from "../../../core/host/local-store/index.ts";
import { type StepName, workOnce } from "../../../core/host/maintenance/testing-work.ts";
import { verifyStore } from "../../../core/host/maintenance/verify.ts";
import { showError } from "../errors.ts";

const say = (line: string): void => void writeSync(1, `${line}\n`);
const shown = (error: unknown): string => showError(error, { cwd: "/", color: false }).replaceAll("\n", " | ");

const [root, slot = "0", seed = "1", ...steps] = process.argv.slice(2);
if (root !== undefined) {
  try {
    if (slot === "verify") {
      using store = openLocalStore({ root, readOnly: true });
      const { faults, gone } = await verifyStore(store, { contents: true, threads: 1 });
      say(`verified ${JSON.stringify([...faults, ...gone])}`);
    } else if (slot === "collect") {
      say(`done gc ${(await collectGarbage({ root })).deleted}`);
    } else
      for (const [step, error] of await workOnce({ root, slot, seed: Number(seed), say }, steps as StepName[]))
        say(`failed ${step} ${shown(error)}`);
  } catch (error) {
    say(`failed open ${shown(error)}`);
  }
}

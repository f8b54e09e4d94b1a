/**
 * Check the core against vectors that were made with real Nix.
 *
 * Usage: node tools/conformance/run.ts [DIRECTORY]     (default: the folder shared/conformance beside the checkout)
 */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { runDerivations } from "./derivations.ts";
import { runEncodings } from "./encodings.ts";
import { runNar } from "./nar.ts";
import { runStorePaths } from "./store-paths.ts";
import { Suite } from "./suite.ts";

const RUNNERS: Readonly<Record<string, (vectors: never, suite: Suite) => void>> = {
  "encodings.json": runEncodings,
  "nar.json": runNar,
  "store-paths.json": runStorePaths,
  "derivations.json": runDerivations,
};

const [given] = process.argv.slice(2);
const directory = resolve(given ?? join(import.meta.dirname, "../../../shared/conformance"));
if (!existsSync(directory)) {
  console.log(`No conformance vectors at "${directory}": nothing to check.${given === undefined ? " Name their folder as the argument." : ""}`);
  process.exit(given === undefined ? 0 : 1);
}

let passed = 0;
let failed = 0;
for (const [file, run] of Object.entries(RUNNERS)) {
  const suite = new Suite(file);
  run(JSON.parse(readFileSync(join(directory, file), "utf8")) as never, suite);
  for (const failure of suite.failures) console.log(failure);
  console.log(`${file}: ${suite.passed} passed, ${suite.failures.length} failed`);
  passed += suite.passed;
  failed += suite.failures.length;
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

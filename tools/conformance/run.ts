/**
 * Check the core against vectors that were made with real Nix.
 *
 * Usage: node tools/conformance/run.ts [DIRECTORY]     (default: shared/conformance beside the checkout, else vectors beside this file)
 */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { runDerivations } from "./derivations.ts";
import { runEncodings } from "./encodings.ts";
import { runNar } from "./nar.ts";
import { runReferences } from "./references.ts";
import { runStorePaths } from "./store-paths.ts";
import { Suite } from "./suite.ts";

const RUNNERS: Readonly<Record<string, (vectors: never, suite: Suite) => void>> = {
  "encodings.json": runEncodings,
  "nar.json": runNar,
  "store-paths.json": runStorePaths,
  "derivations.json": runDerivations,
  "references.json": runReferences,
};

const [given] = process.argv.slice(2);
const places =
  given === undefined
    ? ["../../../shared/conformance", "vectors"].map((place) => join(import.meta.dirname, place))
    : [resolve(given)];
const directory = places.find((place) => existsSync(place));
if (directory === undefined) {
  console.log(
    `No conformance vectors at "${places.join('" or "')}": nothing to check. Name their folder as the argument.`,
  );
  process.exit(given === undefined ? 0 : 1);
}

let passed = 0;
let failed = 0;
for (const [file, run] of Object.entries(RUNNERS)) {
  if (!existsSync(join(directory, file))) {
    console.log(`${file}: not there`);
    continue;
  }
  const suite = new Suite(file);
  run(JSON.parse(readFileSync(join(directory, file), "utf8")) as never, suite);
  for (const failure of suite.failures) console.log(failure);
  console.log(`${file}: ${suite.passed} passed, ${suite.failures.length} failed`);
  passed += suite.passed;
  failed += suite.failures.length;
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

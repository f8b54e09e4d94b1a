/**
 * Check Floe against vectors that were made with real Nix.
 *
 * Usage: node tools/conformance/run.ts [DIRECTORY]     (default: shared/conformance beside the checkout, else vectors beside this file)
 *
 * Every case of every file is run, and counts once. Failing ones are named with what was expected and what was found. The last
 * line is `N passed, N failed`; the exit status is 1 when one failed.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { RUNNERS } from "./runners.ts";
import { Suite } from "./suite.ts";

const [given, ...more] = process.argv.slice(2);
if (more.length > 0 || given?.startsWith("-")) {
  console.error("error: Usage: node tools/conformance/run.ts [DIRECTORY]");
  process.exit(64);
}
const places =
  given === undefined
    ? ["../../../shared/conformance", "vectors"].map((place) => join(import.meta.dirname, place))
    : // npm runs scripts at the root of the checkout; a relative name means what it meant to the caller.
      [resolve(process.env["INIT_CWD"] ?? "", given)];
const directory = places.find((place) => existsSync(place));
if (directory === undefined) {
  console.log(`No conformance vectors at "${places.join('" or "')}": name their folder as the argument.`);
  process.exit(1);
}

const known = Object.keys(RUNNERS);
const present = readdirSync(directory)
  .filter((file) => file.endsWith(".json"))
  .sort();
let passed = 0;
let failed = 0;
for (const file of [
  ...known.filter((each) => present.includes(each)),
  ...present.filter((each) => !known.includes(each)),
]) {
  const suite = await runFile(file);
  for (const failure of suite.failures) console.log(failure);
  console.log(`${file}: ${suite.passed} passed, ${suite.failures.length} failed`);
  passed += suite.passed;
  failed += suite.failures.length;
}
for (const file of known.filter((each) => !present.includes(each))) console.log(`${file}: not there`);
if (passed + failed === 0) {
  console.log(`No vectors in "${directory}": found no file with cases`);
  failed = 1;
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function runFile(file: string): Promise<Suite> {
  const suite = new Suite(file);
  const load = RUNNERS[file];
  if (load === undefined) {
    suite.fail("all cases", "this file is not known, and nothing in it was checked");
    return suite;
  }
  const run = await load();
  try {
    await run(JSON.parse(readFileSync(join(directory as string, file), "utf8")) as never, suite);
  } catch (error) {
    suite.fail("the rest", `it cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (suite.passed + suite.failures.length === 0) suite.fail("all cases", "it has no cases");
  return suite;
}

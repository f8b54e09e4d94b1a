import { fromUtf8, hashBytes, parseJson, utf8 } from "../../../core/base/index.ts";
import {
  checkOutputPaths,
  type Derivation,
  derivationPath,
  formatDerivation,
  type InputHashes,
  parseDerivation,
  parseShownDerivations,
  showDerivation,
  sortNested,
} from "../../../core/derivation/index.ts";
import type { Random } from "../random.ts";
import { JSON_WORDS, sampleStorePath, sampleStorePaths, sampleText, words } from "../samples.ts";
import { expectSame, type Target } from "../target.ts";

const inputs: InputHashes = (drvPath) => ({
  hashes: new Map([["out", hashBytes("sha256", drvPath).digest]]),
  deferred: false,
});

/** The text of `.drv` files: read, checked and written again. */
export const drvTarget: Target = {
  sample: (random) => utf8(formatDerivation(sampleDerivation(random))),
  words: words(
    "Derive(",
    "[",
    "]",
    "(",
    ")",
    ",",
    '"',
    "\\",
    '""',
    '("out","","","")',
    "r:sha256",
    "impure",
    "__proto__",
    "\0",
  ),
  check(input) {
    const drv = parseDerivation(fromUtf8(input), "fuzz");
    const text = formatDerivation(drv);
    expectSame(formatDerivation(parseDerivation(text, "fuzz")), text, "a derivation written, read and written");
    JSON.stringify(showDerivation(drv));
    derivationPath(drv);
    checkOutputPaths(drv, { inputs });
  },
};

/** Derivations as JSON: read, and printed again. */
export const shownTarget: Target = {
  sample(random) {
    const drv = sampleDerivation(random);
    return utf8(JSON.stringify({ [derivationPath(drv)]: showDerivation(drv) }));
  },
  words: words(...JSON_WORDS, '"inputs"', '"version"', '"name"', '"out"'),
  check(input) {
    for (const { derivation } of parseShownDerivations(parseJson(fromUtf8(input)))) {
      const text = formatDerivation(derivation);
      const name = derivation.name;
      const again = parseShownDerivations({ [derivationPath(derivation)]: showDerivation(derivation) });
      expectSame(again.map((each) => formatDerivation(each.derivation)).join(), text, `"${name}" printed and read`);
    }
  },
};

function sampleDerivation(random: Random): Derivation {
  const fixed = {
    path: sampleStorePath(random),
    hashAlgorithm: random.pick(["sha256", "r:sha1"]),
    hash: "00".repeat(32),
  };
  const output = random.pick([
    { path: sampleStorePath(random), hashAlgorithm: "", hash: "" },
    { path: "", hashAlgorithm: "r:sha256", hash: "" },
    { path: "", hashAlgorithm: "", hash: "" },
    fixed,
  ]);
  const names = output === fixed ? ["out"] : ["out", "dev", "doc"].slice(0, 1 + random.below(3));
  const inputs = sampleStorePaths(random);
  const nested = inputs
    .slice(0, random.below(3))
    .map((drvPath) => ({ drvPath, through: ["out", "plan.drv"].slice(random.below(2)), outputs: ["out"] }));
  return {
    name: "fuzz",
    outputs: Object.fromEntries(names.map((name) => [name, output])),
    inputDerivations: new Map(inputs.map((path) => [path, ["out"]])),
    ...(nested.length === 0 ? {} : { nestedInputs: sortNested(nested) }),
    inputSources: sampleStorePaths(random),
    system: "x86_64-linux",
    builder: sampleText(random),
    args: Array.from({ length: random.size(3) }, () => sampleText(random)),
    env: Object.fromEntries(Array.from({ length: random.size(4) }, () => [sampleText(random), sampleText(random)])),
  };
}

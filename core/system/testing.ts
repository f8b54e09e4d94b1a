import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { structuredAttributes } from "../build/index.ts";
import {
  type DerivationValue,
  type SourceHost,
  beginEvaluation,
  currentEvaluation,
  derivation,
  parseDerivation,
} from "../derivation/index.ts";

/** Holds what builders make in this process, and goes with it. */
const folder = mkdtempSync(join(tmpdir(), "floe-builder-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

/** A new directory of the host that lasts as long as the process. */
export function makeTemporaryFolder(): string {
  return mkdtempSync(join(folder, "one-"));
}

/** Begin an evaluation without sources, for tests. */
export function beginTestEvaluation(): void {
  const noSources: SourceHost = {
    hashTree: (path) => {
      throw new Error(`no source is expected here: ${path}`);
    },
  };
  beginEvaluation(noSources);
}

/** A stand-in for a package: a real path of the evaluation, which {@link runBuilder} maps to a directory of the host. */
export function testPackage(name: string): DerivationValue {
  return derivation({ name, system: "x86_64-linux", builder: "/builder" });
}

/**
 * Run the builder of a derivation with the host's bash, outside of any sandbox.
 *
 * @param places Directories of the host by package: their paths are replaced in what the builder gets.
 * @returns the output's place on the host.
 */
export function runBuilder(made: DerivationValue, places: ReadonlyMap<DerivationValue, string>): string {
  const text = currentEvaluation().derivations.get(made.drvPath);
  if (text === undefined) throw new Error(`${made.drvPath} was not made here`);
  const drv = parseDerivation(text, made.name);
  const top = makeTemporaryFolder();
  const out = join(top, "out");
  const map = (value: string) => {
    let mapped = value;
    for (const [one, place] of places) mapped = mapped.replaceAll(one.outPath, place);
    return mapped;
  };
  const json = drv.env["__json"];
  if (json === undefined) throw new Error("expected structured attributes");
  writeFileSync(join(top, "attrs.sh"), structuredAttributes(map(json), { out }, {}).shell);
  const done = spawnSync("bash", drv.args.map(map), {
    cwd: top,
    env: { NIX_ATTRS_SH_FILE: join(top, "attrs.sh") },
    encoding: "utf8",
  });
  if (done.status !== 0) throw new Error(`the builder ended with ${done.status}: ${done.stderr}`);
  return out;
}

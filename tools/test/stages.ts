import { join } from "node:path";
import { addressesCheck } from "../checks/addresses.ts";
import { codesCheck } from "../checks/codes.ts";
import { docsCheck } from "../checks/docs.ts";
import { importsCheck } from "../checks/imports.ts";
import { pinsCheck } from "../checks/pins.ts";
import { purityCheck } from "../checks/purity.ts";
import { formatFinding, ROOT } from "../checks/source-tree.ts";
import { runChild } from "./child.ts";
import { single, stripColors, type StageResult, sum } from "./report.ts";
import { runProof } from "./proof.ts";
import { runUnit } from "./unit.ts";
import { runBuilds } from "./builds.ts";
import { runMachines } from "./machines.ts";

export interface StageOptions {
  /** Only tests whose file or name contains this. */
  readonly filter: string | undefined;
  /** Run also what passed before with all as it is now. */
  readonly rerun: boolean;
  readonly signal: AbortSignal;
  /** Says where the stage is, on one line that the next one replaces. */
  readonly progress: (line: string) => void;
}

export interface Stage {
  readonly name: string;
  readonly brief: string;
  run(options: StageOptions): Promise<StageResult>;
}

/** In the order they run: the quick ones first. */
export const stages: readonly Stage[] = [
  { name: "types", brief: "type check of everything, and of what runs in the evaluation", run: runTypes },
  { name: "format", brief: "form and lint (biome)", run: runFormat },
  { name: "checks", brief: "rules of the house (tools/checks)", run: runChecks },
  { name: "unit", brief: "tests beside the files", run: runUnit },
  { name: "conformance", brief: "store formats against vectors made by Nix", run: runConformance },
  { name: "fuzz", brief: "readers of all formats against damaged input", run: runFuzz },
  { name: "proof", brief: "the driver of machine tests, on machines that fail in every way", run: runProof },
  { name: "vm", brief: "machines that boot, serve and roll back", run: runMachines },
  { name: "builds", brief: "what users build: templates and programs", run: runBuilds },
];

async function runTypes(options: StageOptions): Promise<StageResult> {
  const projects = ["tsconfig.json", "tsconfig.pure.json", "vm-tests/driver/report/page/tsconfig.json"];
  return sum(await Promise.all(projects.map((project) => program(["tsc", "-p", project], options))));
}

function runFormat(options: StageOptions): Promise<StageResult> {
  return program(["biome", "ci", "--colors=off", "--max-diagnostics=30", "."], options);
}

async function runChecks(options: StageOptions): Promise<StageResult> {
  const checks = [importsCheck, purityCheck, addressesCheck, pinsCheck, docsCheck, codesCheck];
  const results = await Promise.all(
    checks.map(async (check) => {
      const findings = await check.run();
      const output = findings.length === 0 ? undefined : findings.map(formatFinding).join("\n");
      return single(`check ${check.name}`, output);
    }),
  );
  return sum([...results, await runByNameIndex(options)]);
}

/** The store formats against vectors made by Nix. */
function runConformance(options: StageOptions): Promise<StageResult> {
  return totalled("conformance", ["tools/conformance/run.ts", "tools/conformance/vectors"], options);
}

/** A twentieth of what `npm run fuzz` does: that takes minutes, this a quarter of one. */
function runFuzz(options: StageOptions): Promise<StageResult> {
  return totalled("fuzz", ["tools/fuzz/run.ts", "--cases", "5000"], options);
}

/** A program whose last line has the totals. */
async function totalled(name: string, words: readonly string[], options: StageOptions): Promise<StageResult> {
  const child = await node(words, options);
  const found = /^(\d+) passed, (\d+) failed$/m.exec(child.output.trimEnd().split("\n").at(-1) ?? "");
  const [passed, failed] = [Number(found?.[1] ?? 0), Number(found?.[2] ?? 0)];
  if (child.code === 0 && failed === 0 && passed > 0) return { passed, failed, skipped: 0, failures: [] };
  const failures = [{ name, output: child.output }];
  return { passed, failed: Math.max(1, failed), skipped: 0, failures };
}

/** The list of packages is written by a script; it must be what the script would write now. */
async function runByNameIndex(options: StageOptions): Promise<StageResult> {
  const child = await node(["pkgs/generate.ts", "--check"], options);
  return single(
    "check by-name index",
    child.code === 0 ? undefined : `${child.output}\n  hint: Run \`node pkgs/generate.ts\`.`,
  );
}

async function program([name, ...words]: [string, ...string[]], options: StageOptions): Promise<StageResult> {
  const child = await node([join("node_modules/.bin", name), ...words], options);
  return single([name, ...words].join(" "), child.code === 0 ? undefined : stripColors(child.output));
}

function node(words: readonly string[], { signal }: StageOptions) {
  return runChild([process.execPath, ...words], { cwd: ROOT, timeoutSeconds: 300, signal });
}

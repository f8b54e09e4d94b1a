import { type BuildBench, openBuildBench } from "../../core/host/builder/testdata/build-bench.ts";
import { findProgram } from "../../core/host/process/index.ts";
import { benchAgent } from "./agent.ts";
import {
  benchAsking,
  benchEvaluateModules,
  benchEvaluatePackages,
  benchEvaluateSystem,
} from "./evaluation/evaluation.ts";
import { benchGc } from "./gc.ts";
import { benchAddFile, benchAddTree, benchDump, benchImport, benchStartUp } from "./ingest.ts";
import { benchMachines, benchMachinesOfAarch64 } from "./machines.ts";
import { benchLoaded } from "./loaded.ts";
import { benchNoOp } from "./no-op.ts";
import { benchPull } from "./pull.ts";
import { benchQuery } from "./query.ts";
import { benchBuildChain, benchTrivialBuilds } from "./trivial-builds.ts";
import { benchVerify } from "./verify.ts";

/**
 * `node tools/bench/run.ts [NAME…]`: compare with real Nix on this machine, in a temporary store. Measures only: nothing here is
 * a test, since times depend on who else uses the machine.
 */
const BENCHES: Readonly<Record<string, (bench: BuildBench) => Promise<void>>> = {
  agent: benchAgent,
  gc: benchGc,
  "add-file": benchAddFile,
  "add-tree": benchAddTree,
  dump: benchDump,
  import: benchImport,
  "start-up": benchStartUp,
  "no-op": benchNoOp,
  asking: benchAsking,
  "evaluate-system": benchEvaluateSystem,
  "evaluate-modules": benchEvaluateModules,
  "evaluate-packages": benchEvaluatePackages,
  pull: benchPull,
  verify: benchVerify,
  query: benchQuery,
  "trivial-builds": benchTrivialBuilds,
  "build-chain": benchBuildChain,
  machines: benchMachines,
  "machines-aarch64": benchMachinesOfAarch64,
  loaded: benchLoaded,
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in BENCHES));
if (unknown.length > 0) {
  console.error(`error: Cannot measure "${unknown.join(", ")}": there are ${Object.keys(BENCHES).join(", ")}`);
  process.exit(2);
}
if (findProgram("nix-build") === undefined) {
  console.error(
    "skipped: nix-build is not on PATH, so there is nothing to compare with (Debian: apt-get install nix-bin)",
  );
  process.exit(0);
}
const bench = await openBuildBench();
if (typeof bench === "string") {
  console.error(`skipped: ${bench}`);
  process.exit(0);
}
try {
  for (const name of asked.length === 0 ? Object.keys(BENCHES) : asked) await BENCHES[name]?.(bench);
} finally {
  bench.close();
}

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MachineManifest, VmTestManifest } from "../../vm-tests/index.ts";
import { ROOT, sourceFilesEnding } from "../checks/source-tree.ts";
import { openStore } from "../cli/store.ts";
import { runChild } from "./child.ts";
import { type StageResult, single } from "./report.ts";
import type { StageOptions } from "./stages.ts";
import { PROOF, runFiles } from "./unit.ts";

/** From an empty store the machine's packages are compiled first. */
const TIMEOUT_SECONDS = 2 * 60 * 60;

/** Platform of the machines, where it is not the one of the story `boot` itself. */
const PLATFORM_VARIABLE = "FLOE_PROOF_PLATFORM";

/**
 * The driver's tests on a machine that boots: build the machine of the story `boot`, tell the tests where it lies, and run them.
 *
 * `FLOE_PROOF_PLATFORM=aarch64-linux` takes the machine of that platform, for a story that declares it.
 */
export async function runProof(options: StageOptions): Promise<StageResult> {
  const files = sourceFilesEnding(".test.ts").filter((file) => file.startsWith(PROOF));
  if (files.every((file) => options.filter !== undefined && !file.includes(options.filter)))
    return { passed: 0, failed: 0, skipped: 0, failures: [] };
  const platform = process.env[PLATFORM_VARIABLE];
  const attribute = `.#vmTests.boot${platform === undefined ? "" : `.on.${platform}`}`;
  const built = await floe(["build", "--no-link", attribute], options);
  if (built.code !== 0) return single(`build ${attribute}`, built.output);
  const told = await floe(["eval", "--json", attribute], options);
  const text = /^\{$.*?^\}$/ms.exec(told.output)?.[0];
  if (told.code !== 0 || text === undefined) return single(`eval ${attribute}`, told.output);
  const folder = mkdtempSync(join(tmpdir(), "floe-proof-"));
  try {
    const file = join(folder, "machine.json");
    const [machine] = Object.values((JSON.parse(text) as VmTestManifest).machines);
    writeFileSync(file, JSON.stringify(machine === undefined ? undefined : onHost(machine)));
    return await runFiles(files, { ...options, env: { FLOE_PROOF_MACHINE: file }, workers: 2 });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The machine with its images where they lie on this host. */
function onHost(machine: MachineManifest): MachineManifest {
  using store = openStore({}, { readOnly: true });
  const { base } = machine.generations;
  const place = (path: string): string => store.realPath(path);
  return {
    ...machine,
    storeImage: place(machine.storeImage),
    rootImage: place(machine.rootImage),
    generations: { base: { ...base, kernel: place(base.kernel), initrd: place(base.initrd) } },
  };
}

function floe(words: readonly string[], { signal }: StageOptions) {
  return runChild([join(ROOT, "tools/cli/floe"), ...words], { cwd: ROOT, timeoutSeconds: TIMEOUT_SECONDS, signal });
}

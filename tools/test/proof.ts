import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MachineManifest, VmTestManifest } from "../../vm-tests/index.ts";
import { ROOT, sourceFilesEnding } from "../checks/source-tree.ts";
import { openStore } from "../cli/store.ts";
import { runChild } from "./child.ts";
import { HOST, isCompiled } from "./platforms.ts";
import { type StageResult, single, sum } from "./report.ts";
import { KEEP_ROOM } from "./room.ts";
import type { StageOptions } from "./stages.ts";
import { PROOF, runFiles } from "./unit.ts";

/** From an empty store the machine's packages are compiled first. */
const TIMEOUT_SECONDS = 2 * 60 * 60;

/** The one platform whose machines all proofs are for, in place of {@link HOST} and what others need. */
const PLATFORM_VARIABLE = "FLOE_PROOF_PLATFORM";

/** Platforms that the story `boot` declares. */
const PLATFORMS = ["x86_64-linux", "aarch64-linux"];

/**
 * The driver's tests on a machine that boots: all of them on the host's own platform; on another one, where its packages are here, those that
 * depend on what the guest is. `FLOE_PROOF_PLATFORM=aarch64-linux` runs all of them on that platform, and nothing else.
 */
export async function runProof(options: StageOptions): Promise<StageResult> {
  const files = sourceFilesEnding(".test.ts").filter((file) => file.startsWith(PROOF));
  if (files.every((file) => options.filter !== undefined && !file.includes(options.filter)))
    return { passed: 0, failed: 0, skipped: 0, failures: [] };
  const asked = process.env[PLATFORM_VARIABLE];
  if (asked !== undefined) return proveOn(asked, files, "all", options);
  const results = [await proveOn(HOST, files, "all", options)];
  for (const platform of PLATFORMS.filter((each) => each !== HOST)) {
    if (options.signal.aborted) break;
    if (await isCompiled(platform, options.signal)) results.push(await proveOn(platform, files, "guest", options));
    else {
      const skipped = files.filter((file) => options.filter === undefined || file.includes(options.filter)).length;
      const note = `${platform}: skipped, since its packages are not in the store`;
      results.push({ passed: 0, failed: 0, skipped, failures: [], note });
    }
  }
  const notes = results.flatMap(({ note }) => note ?? []);
  return { ...sum(results), note: notes.join("; ") };
}

/** Build the machine of the story `boot`, tell the tests where it lies, and run them. */
async function proveOn(
  platform: string,
  files: readonly string[],
  part: "all" | "guest",
  options: StageOptions,
): Promise<StageResult> {
  const attribute = `.#vmTests.boot.on.${platform}`;
  const built = await floe(["build", "--no-link", ...KEEP_ROOM, attribute], options);
  if (built.code !== 0) return single(`build ${attribute}`, built.output);
  const told = await floe(["eval", "--json", attribute], options);
  const text = /^\{$.*?^\}$/ms.exec(told.output)?.[0];
  if (told.code !== 0 || text === undefined) return single(`eval ${attribute}`, told.output);
  const folder = mkdtempSync(join(tmpdir(), "floe-proof-"));
  try {
    const file = join(folder, "machine.json");
    const [machine] = Object.values((JSON.parse(text) as VmTestManifest).machines);
    writeFileSync(file, JSON.stringify(machine === undefined ? undefined : onHost(machine)));
    const env = { FLOE_PROOF_MACHINE: file, FLOE_PROOF_PART: part };
    const result = await runFiles(files, { ...options, env, subject: `${platform}-${part}`, workers: 2 });
    return { ...result, note: `${platform}: ${result.note}` };
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

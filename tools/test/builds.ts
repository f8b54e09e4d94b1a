import { join } from "node:path";
import { ROOT, sourceFilesEnding } from "../checks/source-tree.ts";
import { runChild } from "./child.ts";
import { HOST, isCompiled } from "./platforms.ts";
import { type StageResult, single } from "./report.ts";
import { KEEP_ROOM } from "./room.ts";
import type { StageOptions } from "./stages.ts";
import { BUILDS, runFiles } from "./unit.ts";

/** What the flakes under test take from the store and no machine needs. */
const TAKEN = [".#hello", ".#nodejs"];
/** Each is compiled or unpacked once. */
const TIMEOUT_SECONDS = 30 * 60;

/** Build what users build, upon the store with the toolchain: it comes after the machines, which have compiled that. */
export async function runBuilds(options: StageOptions): Promise<StageResult> {
  const files = sourceFilesEnding(".test.ts").filter((file) => file.startsWith(BUILDS));
  const chosen = files.filter((file) => options.filter === undefined || file.includes(options.filter));
  if (chosen.length === 0) return { passed: 0, failed: 0, skipped: 0, failures: [] };
  if (!(await isCompiled(HOST, options.signal))) {
    const note = "skipped, since the toolchain is not in the store: the stage vm compiles it";
    return { passed: 0, failed: 0, skipped: chosen.length, failures: [], note };
  }
  const words = ["build", "--no-link", ...KEEP_ROOM, ...TAKEN];
  const built = await runChild([join(ROOT, "tools/cli/floe"), ...words], {
    cwd: ROOT,
    timeoutSeconds: TIMEOUT_SECONDS,
    signal: options.signal,
  });
  if (built.code !== 0) return single(words.join(" "), built.output);
  return runFiles(files, options);
}

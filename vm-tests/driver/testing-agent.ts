import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";

const SOURCES = fileURLToPath(new URL("../../pkgs/by-name/fl/floe-agent/src/", import.meta.url));
const COMPILER = ["cc", "gcc", "clang"].find((name) => spawnSync(name, ["--version"]).status === 0);

/** Whether the agent of the guests can be compiled for this host; says once when not. */
export const HAS_COMPILER = COMPILER !== undefined;

if (!HAS_COMPILER) console.log("skipped what needs the agent: there is no C compiler to build it with");

/** The agent, compiled for the host into a folder of its own that the caller removes. */
export function compileAgent(): { readonly folder: string; readonly program: string; readonly words: string } {
  const folder = mkdtempSync(join(tmpdir(), "floe-agent-test-"));
  const program = join(folder, "floe-agent");
  const files = readdirSync(SOURCES)
    .filter((name) => name.endsWith(".c"))
    .map((name) => join(SOURCES, name));
  const flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-o", program, ...files];
  return { folder, program, words: spawnSync(COMPILER ?? "cc", flags, { encoding: "utf8" }).stderr };
}

/** Start it with one end of a socket pair in place of a virtio port; the other end is ours. */
export function spawnAgent(
  program: string,
  env: NodeJS.ProcessEnv = process.env,
): { child: ChildProcess; stream: Duplex } {
  const child = spawn(program, ["--fd", "3"], { stdio: ["ignore", "inherit", "inherit", "pipe"], env });
  const stream = child.stdio[3] as Duplex;
  stream.on("error", () => {});
  return { child, stream };
}

import { join } from "node:path";
import { ROOT } from "../checks/source-tree.ts";
import { runChild } from "./child.ts";

/** Machines of this platform need no packages of another one. */
export const HOST = `${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux`;

/** Packages that tell whether a platform's are here: the two that take longest to compile. */
const SLOWEST = ["linux", "systemd"];

/** Looking at a flake and a store takes seconds. */
const TIMEOUT_SECONDS = 10 * 60;

/**
 * Whether machines of a platform can be had without compiling their packages first: a test of everything has to end in its hour, from an
 * empty store too, and there the host's own platform is compiled alone.
 */
export async function isCompiled(platform: string, signal: AbortSignal): Promise<boolean> {
  const floe = (...words: string[]) =>
    runChild([join(ROOT, "tools/cli/floe"), ...words], { cwd: ROOT, timeoutSeconds: TIMEOUT_SECONDS, signal });
  for (const name of SLOWEST) {
    const path = await floe("eval", "--raw", `.#packages.${platform}.${name}`);
    const [place] = /\/nix\/store\/\S+/.exec(path.output) ?? [];
    if (place === undefined || (await floe("store", "info", place)).code !== 0) return false;
  }
  return true;
}

import { isAbsolute, join } from "node:path";
import { pathToFileURL } from "node:url";
import { CodedError } from "../../core/base/index.ts";
import type { VmTestManifest } from "../manifest.ts";
import { editionOf, useOwnModules } from "./own-modules.ts";
import type { Script } from "./run.ts";

/** What the driver needs of a story's file. */
export interface Story {
  /** Absolute path. */
  readonly file: string;
  readonly script: Script;
  readonly allowConsole: readonly RegExp[];
}

/** Whether a value of an evaluation is a machine test. */
export function isVmTest(value: unknown): value is VmTestManifest {
  const { type, machines } = (value ?? {}) as { type?: unknown; machines?: unknown };
  return type === "vmTest" && typeof machines === "object";
}

/**
 * Import the file of a story and take its script: evaluations give data, and a script is none.
 *
 * @param edition Names a state of its files that is imported anew; the same one is imported once. Default: whatever was imported first.
 * @throws {CodedError} `vm-test.no-story` when the file cannot be imported or its default export is not that test.
 */
export async function loadStory(
  manifest: VmTestManifest,
  flakeFolder: string,
  edition?: string | undefined,
): Promise<Story> {
  const file = isAbsolute(manifest.story) ? manifest.story : join(flakeFolder, manifest.story);
  useOwnModules();
  const exported = await importDefault(manifest.name, file, edition);
  const { name, script, allowConsole } = (exported ?? {}) as {
    name?: unknown;
    script?: unknown;
    allowConsole?: readonly RegExp[];
  };
  if (typeof script !== "function" || name !== manifest.name) {
    throw new CodedError(
      "vm-test.no-story",
      `Cannot run the test "${manifest.name}": the default export of "${file}" is not its story`,
      { hint: "Give each test a file of its own, with `export default vmTest({ … })`." },
    );
  }
  return { file, script: script as Script, allowConsole: allowConsole ?? [] };
}

async function importDefault(name: string, file: string, edition: string | undefined): Promise<unknown> {
  try {
    return ((await import(editionOf(pathToFileURL(file).href, edition))) as { default?: unknown }).default;
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new CodedError("vm-test.no-story", `Cannot run the test "${name}": importing "${file}" failed: ${found}`, {
      hint: "The file of a story is imported on this host, too: let it import relative files and #floe/… only.",
      cause,
    });
  }
}

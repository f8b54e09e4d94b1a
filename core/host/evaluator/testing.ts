import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { CodedError } from "../../base/index.ts";
import { attributeCandidates, EMPTY_LOCK } from "../../flake/index.ts";
import { evaluate, type EvaluateOptions, type EvaluationResult } from "./evaluate.ts";
import type { LockedFlake } from "./locked-flake.ts";

const folders: string[] = [];

/** For tests: a folder with these files, removed at exit. */
export function makeFolder(files: Readonly<Record<string, string>>): string {
  const folder = realpathSync(mkdtempSync(`${tmpdir()}/floe-test-`));
  if (folders.length === 0)
    process.once("exit", () => folders.forEach((one) => rmSync(one, { recursive: true, force: true })));
  folders.push(folder);
  writeFiles(folder, files);
  return folder;
}

export function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

/** For tests: a flake without inputs in a folder. */
export function flakeIn(directory: string): LockedFlake {
  return {
    directory,
    sourceDirectory: directory,
    lock: EMPTY_LOCK,
    resolved: { inputs: {}, nodes: new Map() },
    hostPath: (path) => path,
  };
}

/** For tests: ask a flake without inputs. */
export async function ask(
  flake: LockedFlake,
  attribute: string,
  options: Partial<EvaluateOptions> = {},
): Promise<EvaluationResult> {
  const result = await evaluate({
    flake,
    question: { want: "value", attribute, candidates: attributeCandidates(attribute, { platform: "x86_64-linux" }) },
    ...options,
  });
  if (result.kind === "value") return result;
  throw new Error("The lock of a flake without inputs cannot be stale");
}

/** For tests: the flake whose outputs are this text. */
export function flakeText(outputs: string, head = ""): string {
  return `import { defineFlake } from "#floe/flake";\n${head}\nexport default defineFlake({\n  outputs() {\n    return ${outputs};\n  },\n});\n`;
}

/** For tests: the error of a question. */
export async function errorOf(run: Promise<unknown>): Promise<CodedError> {
  try {
    await run;
  } catch (error) {
    return error as CodedError;
  }
  throw new Error("Expected an error, found none");
}

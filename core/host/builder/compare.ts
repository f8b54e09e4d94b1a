import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { CodedError, equalHashes } from "../../base/index.ts";
import { EXIT_CODES, shortName } from "../../build/index.ts";
import type { PathInfo, StorePath } from "../../store/index.ts";
import { removeTree } from "../files/index.ts";
import { hostPlace, moveTree } from "./outputs.ts";

/** How many differing files an error names. */
const MAX_NAMED = 20;

export interface CompareOutputsOptions {
  readonly drvPath: StorePath;
  /** What the second build made. */
  readonly built: readonly PathInfo[];
  readonly directory: string;
  /** The valid output that one of the second build is to be equal to. */
  readonly validOf: (info: PathInfo) => PathInfo | undefined;
  readonly realPath: (path: string) => string;
  /** Where an object of the store that is written to lies, or would. */
  readonly placeOf: (path: string) => string;
  /** Keep a differing result beside the valid one as `<output>.check`. */
  readonly keep: boolean;
  /** Told where the valid output and a differing result lie on the host. */
  readonly onDiffering?: ((valid: string, fresh: string) => Promise<void>) | undefined;
}

/**
 * Compare the outputs of a second build with the valid ones; `undefined` when they are the same, byte by byte.
 *
 * The error has code `build.not-deterministic` and names the outputs and the files in them that differ.
 */
export async function compareOutputs(options: CompareOutputsOptions): Promise<CodedError | undefined> {
  const details: string[] = [];
  for (const info of options.built) {
    const valid = options.validOf(info);
    if (valid === undefined || equalHashes(valid.narHash, info.narHash)) continue;
    const fresh = hostPlace(options.directory, info.path);
    details.push(
      `${valid.path} differs`,
      ...differences(options.realPath(valid.path), fresh).map((file) => `  ${file}`),
    );
    const kept = `${options.placeOf(valid.path)}.check`;
    if (options.keep) {
      if (lstatSync(kept, { throwIfNoEntry: false }) !== undefined) await removeTree(kept);
      moveTree(fresh, kept);
      details.push(`  kept as ${kept}`);
    }
    await options.onDiffering?.(options.realPath(valid.path), options.keep ? kept : fresh);
  }
  if (details.length === 0) return undefined;
  return new CodedError(
    "build.not-deterministic",
    `Cannot reproduce "${shortName(options.drvPath)}": a second build gave other outputs`,
    {
      details,
      ...(options.keep ? {} : { hint: "Say --keep-failed as well to keep the second result beside the first." }),
      exitCode: EXIT_CODES.notDeterministic,
    },
  );
}

/** Paths inside two trees at which they differ, relative, in byte order; at most some, then how many more. */
function differences(a: string, b: string): string[] {
  const found: string[] = [];
  const queue = [""];
  for (let inner = queue.shift(); inner !== undefined; inner = queue.shift()) {
    const left = lstatSync(a + inner, { throwIfNoEntry: false });
    const right = lstatSync(b + inner, { throwIfNoEntry: false });
    if (left === undefined || right === undefined)
      found.push(`${inner} (only in the ${left === undefined ? "second" : "first"})`);
    else if (left.isDirectory() && right.isDirectory()) {
      const names = new Set([...readdirSync(a + inner), ...readdirSync(b + inner)]);
      queue.push(...[...names].sort().map((name) => `${inner}/${name}`));
    } else if (left.mode !== right.mode) found.push(`${inner || "/"} (kind or mode)`);
    else if (
      left.isSymbolicLink()
        ? readlinkSync(a + inner) !== readlinkSync(b + inner)
        : !readFileSync(a + inner).equals(readFileSync(b + inner))
    ) {
      found.push(inner || "(the file itself)");
    }
  }
  return found.length <= MAX_NAMED ? found : [...found.slice(0, MAX_NAMED), `and ${found.length - MAX_NAMED} more`];
}

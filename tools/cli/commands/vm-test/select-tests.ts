import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { CodedError } from "../../../../core/base/index.ts";
import { type Durations, isGlob, parseDurations, parseShard, testsOfShard } from "../../../../vm-tests/driver/index.ts";
import type { CliContext } from "../../context.ts";
import type { RunFlags } from "./index.ts";
import { listTests } from "./list-tests.ts";

/** What tests took, beside a flake's other files, so that everybody who has the flake has the same. */
const DURATIONS_FILE = "vm-test-durations.json";

/**
 * Words for the tests that a command line means: names as they are, names that fit a pattern, or all tests; of these the ones that fit what else
 * is asked, and of these a shard.
 *
 * @throws {CodedError} `vm-test.cannot-choose`, `vm-test.bad-shard`, `vm-test.bad-durations`; those of {@link listTests}
 */
export async function selectTests(
  context: CliContext,
  flags: Pick<RunFlags, "flake" | "tag" | "platform" | "changedSince" | "shard" | "durations" | "locked" | "offline">,
  words: readonly string[],
): Promise<string[]> {
  const { tag, changedSince, shard } = flags;
  const chooses = tag !== undefined || changedSince !== undefined || shard !== undefined;
  if (!chooses && words.length > 0 && !words.some(isGlob)) return [...new Set(words)];
  const elsewhere = words.find((word) => word.includes("#"));
  if (elsewhere !== undefined) {
    throw new CodedError("vm-test.cannot-choose", `Cannot choose among tests by "${elsewhere}": it names one already`, {
      hint: "Name the flake by --flake, and its tests without it.",
    });
  }
  const parsed = shard === undefined ? undefined : parseShard(shard);
  const { tests, directory } = await listTests(context, flags, words);
  const names = tests.map(({ name }) => name);
  if (parsed === undefined) return names;
  return testsOfShard(names, readDurations(context, flags.durations, directory), parsed);
}

function readDurations({ cwd }: CliContext, named: string | undefined, directory: string): Durations {
  const file = named === undefined ? join(directory, DURATIONS_FILE) : resolve(cwd, named);
  if (named === undefined && !existsSync(file)) return new Map();
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new CodedError("vm-test.bad-durations", `Cannot read durations from "${file}": it cannot be opened`, {
      cause,
    });
  }
  return parseDurations(text, file);
}

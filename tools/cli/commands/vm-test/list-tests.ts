import type { CodedError } from "../../../../core/base/index.ts";
import { askOutputs, outlineFlake } from "../../../../core/host/flake/index.ts";
import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import { chooseTests, type ListedTest, type TestFilters } from "../../../../vm-tests/driver/index.ts";
import type { CliContext } from "../../context.ts";
import { openForCommand } from "../flake/open.ts";
import type { SelectFlags } from "./index.ts";

/** A test of a flake, as its outputs show it. */
export interface FlakeTest extends ListedTest {
  /** Why nothing is known of it but its name. */
  readonly fault?: CodedError;
}

/**
 * The tests of a flake that are meant. Their machines are not evaluated, except where it is asked what has changed.
 *
 * @throws {CodedError} `vm-test.no-match`; those of {@link findChanged}
 */
export async function listTests(
  context: CliContext,
  flags: SelectFlags,
  words: readonly string[],
): Promise<{ readonly tests: readonly FlakeTest[]; readonly directory: string }> {
  using opened = await openForCommand(context, flags);
  const { paths } = await outlineFlake(opened.flake);
  const meant = paths.filter(([output]) => output === "vmTests");
  const { outputs, faults } = await askOutputs(opened.flake, "show", meant);
  const all = meant.map((path): FlakeTest => {
    const name = path[1] as string;
    const isMeant = (each: { readonly path: readonly string[] }): boolean => each.path[1] === name;
    const fault = faults.find(isMeant)?.error;
    const { description = "", platforms = [], tags = [] } = outputs.find(isMeant) ?? {};
    return { name, description, platforms, tags, ...(fault === undefined ? {} : { fault }) };
  });
  const { directory } = opened.flake;
  const tests = chooseTests(all, filtersOf(flags, words));
  if (flags.changedSince === undefined) return { tests, directory };
  const changed = await onlyChanged(context, flags, opened.store, tests);
  return { tests: changed, directory };
}

function filtersOf({ tag = [], platform }: SelectFlags, words: readonly string[]): TestFilters {
  return { names: words.map((word) => word.replace(/^vmTests\./, "")), tags: tag, platform };
}

async function onlyChanged(
  context: CliContext,
  flags: SelectFlags,
  store: LocalStore,
  tests: readonly FlakeTest[],
): Promise<FlakeTest[]> {
  const { findChanged } = await import("./find-changed.ts");
  const changed = await findChanged(context, flags, store, tests);
  return tests.filter(({ name }) => changed.has(name));
}

import { relative } from "node:path";
import { CodedError } from "../../../../core/base/index.ts";
import { findFlake } from "../../../../core/host/flake/index.ts";
import { findCheckoutRoot, localRevision } from "../../../../core/host/git/index.ts";
import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import { FLOE_FOLDER, keyOfTest, type ListedTest } from "../../../../vm-tests/driver/index.ts";
import type { CliContext } from "../../context.ts";
import type { PlatformFlag, SelectFlags } from "./index.ts";
import { type PreparedTest, prepareTest } from "./prepare.ts";

/**
 * Names of the tests that are not what they were at a revision: with other systems, or with another content of the files that their stories
 * may load. One that was not there, or could not be evaluated there, counts.
 *
 * @throws {CodedError} `vm-test.no-repository`, `git.unknown-revision`; those of the evaluation, for tests as they are now
 */
export async function findChanged(
  context: CliContext,
  flags: SelectFlags,
  store: LocalStore,
  tests: readonly ListedTest[],
): Promise<ReadonlySet<string>> {
  const { changedSince = "HEAD", platform } = flags;
  const { directory, root } = await findRepository(context, flags);
  const rev = await localRevision(root, changedSince);
  const inside = relative(root, directory);
  const address = root.split("/").map(encodeURIComponent).join("/");
  // A repository that is Floe itself brings its own driver along, which is a part of its tests.
  const isFloe = directory === FLOE_FOLDER;
  const before = `git+file://${address}?rev=${rev}${inside === "" ? "" : `&dir=${encodeURIComponent(inside)}`}`;
  const changed = new Set<string>();
  for (const { name, platforms } of tests) {
    const [, ...others] = platforms as readonly PlatformFlag[];
    for (const each of platform === undefined ? [undefined, ...others] : [platform]) {
      const asked = each === undefined ? flags : { ...flags, platform: each };
      const keyAt = async (where: string): Promise<string> =>
        keyOf(await prepareTest(context, { ...asked, flake: where }, store, name), isFloe);
      const now = await keyAt(directory);
      const then = await keyAt(before).catch((error: unknown) => {
        context.signal.throwIfAborted();
        if (error instanceof CodedError) return undefined;
        throw error;
      });
      if (now === then) continue;
      changed.add(name);
      break;
    }
  }
  return changed;
}

async function findRepository(
  context: CliContext,
  { flake }: SelectFlags,
): Promise<{ readonly directory: string; readonly root: string }> {
  const { directory } = await findFlake(flake, context.cwd);
  const root = findCheckoutRoot(directory);
  if (root !== undefined) return { directory, root };
  throw new CodedError(
    "vm-test.no-repository",
    `Cannot find what has changed in "${directory}": it is no checkout of a git repository`,
  );
}

function keyOf(test: PreparedTest, isFloe: boolean): string {
  const { manifest, flakeFolder } = test;
  const own = isFloe ? { floe: flakeFolder } : {};
  return keyOfTest({ manifest, storyFile: manifest.story, flakeFolder, ...own }).key;
}

import { CodedError } from "../../../../core/base/index.ts";
import type { BuildTarget } from "../../../../core/build/index.ts";
import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import { isVmTest } from "../../../../vm-tests/driver/index.ts";
import type { VmTestManifest } from "../../../../vm-tests/index.ts";
import type { CliContext } from "../../context.ts";
import { resolveInstallables } from "../../resolve.ts";
import type { SelectFlags } from "./index.ts";

/** A test that was found and evaluated. */
export interface PreparedTest {
  readonly name: string;
  /** Where it was found in the flake: `vmTests.rollback`. */
  readonly attribute: string;
  /** Its story is a file of this machine. */
  readonly manifest: VmTestManifest;
  /** What has to be built before it can run. */
  readonly targets: readonly BuildTarget[];
  /** Absolute path of the flake that has its story. */
  readonly flakeFolder: string;
  /** Names the state of its files, where they may change while this process lives. */
  readonly edition?: string;
}

/** @throws {CodedError} `vm-test.not-a-test`, and the errors of the evaluation. */
export async function prepareTest(
  context: CliContext,
  flags: SelectFlags,
  store: LocalStore,
  name: string,
): Promise<PreparedTest> {
  const [resolved] = await resolveInstallables([installable(flags, name)], { context, store, flags }).catch(
    (error: unknown) => {
      throw explainPlatform(error, flags, name);
    },
  );
  const manifest = resolved?.value;
  if (resolved === undefined || !isVmTest(manifest)) {
    throw new CodedError("vm-test.not-a-test", `Cannot run "${name}": it is not a machine test`, {
      hint: "See all of them with: floe vm-test list",
    });
  }
  const { onHost = String, targets } = resolved;
  const story = onHost(manifest.story);
  // In an evaluation a file's first folder stands for its flake.
  const inFlake = /^\/[^/]+(\/.*)$/.exec(manifest.story)?.[1] ?? "";
  const flakeFolder = story.endsWith(inFlake) ? story.slice(0, story.length - inFlake.length) : context.cwd;
  const { attribute = name } = resolved;
  return { name: manifest.name, attribute, manifest: { ...manifest, story }, targets, flakeFolder };
}

/** `rollback` is `FLAKE#vmTests.rollback`; what has a `#` is taken as it is. A platform is a member of the test. */
function installable({ flake, platform }: SelectFlags, name: string): string {
  const of = platform === undefined ? "" : `.on.${platform}`;
  if (name.includes("#")) return `${name}${of}`;
  return `${flake}#${name.startsWith("vmTests.") ? name : `vmTests.${name}`}${of}`;
}

/** A test that does not declare the platform looks to an evaluation like one that is not there. */
function explainPlatform(error: unknown, { platform }: SelectFlags, name: string): unknown {
  if (platform === undefined || !(error instanceof CodedError) || error.code !== "flake.attribute-missing")
    return error;
  return new CodedError(
    "vm-test.no-platform",
    `Cannot run "${name}" on ${platform}: found no machine test of this name that declares the platform`,
    { hint: "`floe vm-test list` shows tests with their platforms; a story names them in `platforms`.", cause: error },
  );
}

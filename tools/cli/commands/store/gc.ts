import { homedir } from "node:os";
import { join } from "node:path";
import { CodedError } from "../../../../core/base/index.ts";
import { deleteGenerations, switchPaths } from "../../../../core/host/activation/index.ts";
import { type CollectOptions, collectGarbage, type GcReport } from "../../../../core/host/collector/index.ts";
import { layoutOf, type StoreLayout } from "../../../../core/host/local-store/index.ts";
import { type Expiry, expireGenerations, planExpiries } from "../../../../core/host/profile/expire.ts";
import { readLink } from "../../../../core/host/profile/index.ts";
import { collectionSettings } from "../../collection-settings.ts";
import type { CliContext } from "../../context.ts";
import { formatBytes } from "../../text.ts";
import { showGcProgress } from "../../ui/gc-progress.ts";
import type { GcFlags } from "./collector-commands.ts";

/** `floe store gc`. */
export default async function gc(this: CliContext, flags: GcFlags): Promise<void> {
  const prints = [flags.printRoots, flags.printLive, flags.printDead].filter(Boolean).length;
  if (prints > 1 || (flags.max !== undefined && flags.maxFree !== undefined)) {
    throw new CodedError(
      "cli.conflicting-flags",
      prints > 1
        ? "Cannot use --print-roots, --print-live and --print-dead together: expected one of them"
        : "Cannot use --max together with --max-free: expected one of them",
    );
  }
  const layout = layoutOf(flags.store);
  const dryRun = flags.dryRun || prints > 0;
  const expired = findExpired(layout, flags);
  for (const each of expired) {
    this.say(
      `${each.profile.path}: ${dryRun ? "would forget" : "forgetting"} ${each.generations.map(({ number }) => number).join(", ")}`,
    );
    if (!dryRun) await forget(this, each, layout);
  }
  using progress = showGcProgress(this);
  const report = await collectGarbage({
    root: layout,
    dryRun,
    measure: prints === 0,
    signal: this.signal,
    maxFreedBytes: flags.max,
    untilFreeBytes: flags.maxFree,
    settings: collectionSettings(flags),
    without: new Set(
      expired.flatMap(({ profile, generations }) => generations.map(({ number }) => profile.linkPath(number))),
    ),
    events: progress.show,
  } satisfies CollectOptions);
  progress.clear();
  if (prints > 0) return print(this, flags, report);
  if (flags.json) {
    return this.printJson({
      ...summary(report),
      dead: dryRun ? report.dead : undefined,
      generations: expired.flatMap(({ profile, generations }) =>
        generations.map(({ number, target }) => ({ profile: profile.path, generation: number, target })),
      ),
    });
  }
  if (dryRun) for (const path of report.dead) this.print(path);
  this.say(describe(report, dryRun));
}

/** What became of a collection, for programs. */
function summary({ deleted, freedBytes, live, dead }: GcReport): Record<string, number> {
  return { deleted, freedBytes, live: live.length, left: dead.length - deleted };
}

/** What became of a collection, for people. */
export function describe({ deleted, freedBytes }: GcReport, dryRun: boolean): string {
  const objects = `${deleted} store object${deleted === 1 ? "" : "s"}`;
  return dryRun
    ? `would delete ${objects} and free ${formatBytes(freedBytes)}`
    : `deleted ${objects}, freed ${formatBytes(freedBytes)}`;
}

function print(context: CliContext, flags: GcFlags, { roots, temporaryRoots, live, dead }: GcReport): void {
  if (!flags.printRoots) {
    const paths = flags.printLive ? live : dead;
    if (flags.json) context.printJson(paths);
    else for (const path of paths) context.print(path);
    return;
  }
  const all = [...roots, ...temporaryRoots.map(({ path, pid }) => ({ path, from: `{temp:${pid}}` }))];
  if (flags.json) context.printJson(all.map(({ path, from }) => ({ path, from })));
  else for (const { path, from } of all) context.print(`${from} -> ${path}`);
}

function findExpired({ root, stateDirectory }: StoreLayout, { keep, deleteOlderThan }: GcFlags): Expiry[] {
  if (keep === undefined && deleteOlderThan === undefined) return [];
  const directories = [join(stateDirectory, "profiles")];
  const { bootedSystem, currentSystem } = switchPaths();
  if (root === "/") {
    // Where newer versions of Nix have the profiles of a user.
    directories.push(join(process.env["XDG_STATE_HOME"] || join(homedir(), ".local/state"), "nix/profiles"));
  }
  const inUse = [bootedSystem, currentSystem].flatMap((link) => readLink(link) ?? []);
  const since = deleteOlderThan === undefined ? undefined : new Date(Date.now() - deleteOlderThan);
  return planExpiries({ directories, rule: { keep, since }, inUse: new Set(inUse) });
}

/** Generations of the machine's system leave the boot menu as well, before they go. */
async function forget(context: CliContext, expiry: Expiry, { root }: StoreLayout): Promise<void> {
  const { profile, generations } = expiry;
  const paths = switchPaths();
  if (root !== "/" || profile.path !== join(paths.profiles, "system")) return expireGenerations(expiry);
  deleteGenerations({
    numbers: generations.map(({ number }) => number),
    paths,
    say: (line) => context.say(line),
  });
}

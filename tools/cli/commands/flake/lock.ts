import { LOCK_FILE_NAME } from "../../../../core/flake/index.ts";
import type { LockOptions, LockResult } from "../../../../core/host/flake/index.ts";
import { wantsTypes } from "../../../../core/host/types/types-folder.ts";
import type { CliContext } from "../../context.ts";
import type { LockFlags } from "../../flags.ts";
import { formatChange } from "./changes.ts";
import type { CommitFlags, FlakeFlags } from "./index.ts";
import { openForCommand } from "./open.ts";
import { writeTypes } from "./types.ts";

/** `floe flake lock`: fill gaps. */
export async function lock(this: CliContext, flags: FlakeFlags & LockFlags & CommitFlags): Promise<void> {
  if (flags.locked || flags.updateLockFile === false) {
    // Only look: resolving fails when the lock does not fit.
    using opened = await openForCommand(this, flags);
    await opened.flake.resolveInputs();
    return report(this, flags, { lock: opened.flake.lock, changes: [] });
  }
  await relock(this, flags, { update: "none" });
}

/** `floe flake update [INPUT…]`: move inputs. */
export async function update(
  this: CliContext,
  flags: FlakeFlags & LockFlags & CommitFlags,
  ...inputs: string[]
): Promise<void> {
  await relock(this, flags, { update: inputs.length === 0 ? "all" : inputs });
}

async function relock(
  context: CliContext,
  flags: FlakeFlags & LockFlags & CommitFlags,
  options: LockOptions,
): Promise<void> {
  using opened = await openForCommand(context, flags);
  const result = await opened.flake.relock({ ...options, write: flags.writeLockFile !== false });
  report(context, flags, result);
  if (wantsTypes(opened.flake.directory)) await writeTypes(context, opened);
  if (flags.commitLockFile && result.written === `${opened.flake.directory}/${LOCK_FILE_NAME}`) {
    const { commitFile } = await import("../../../../core/host/git/commit-file.ts");
    const { grantedSummary } = await import("../../granted-settings.ts");
    const summary = grantedSummary(context) ?? `${LOCK_FILE_NAME}: Update`;
    const message = [summary, "", ...result.changes.flatMap(formatChange)].join("\n");
    await commitFile(opened.flake.directory, LOCK_FILE_NAME, message);
    context.say(`Committed ${LOCK_FILE_NAME}`);
  }
}

function report(context: CliContext, { json }: FlakeFlags, { changes, written, lock: content }: LockResult): void {
  if (json) return context.printJson({ lock: content, changes, ...(written === undefined ? {} : { written }) });
  for (const change of changes) for (const line of formatChange(change)) context.print(line);
  if (written !== undefined) context.say(`Wrote ${written}`);
  else context.say(changes.length === 0 ? "Every input is locked; nothing to change." : "The lock was not written.");
}

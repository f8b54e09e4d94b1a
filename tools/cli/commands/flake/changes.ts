import { type LockChange, type LockedSource, withoutCredentials } from "../../../../core/flake/index.ts";

/** A change of the lock in one to three lines: what moved, from where, to where. */
export function formatChange({ kind, input, before, after, follows }: LockChange): string[] {
  const name = input.join("/");
  if (follows !== undefined) return [`${kind} ${name}: follows ${follows.join("/")}`];
  if (kind === "removed" || after === undefined)
    return [`removed ${name}${before === undefined ? "" : `: ${formatSource(before)}`}`];
  if (before === undefined) return [`added ${name}: ${formatSource(after)}`];
  return [`updated ${name}:`, `  ${formatSource(before)}`, `→ ${formatSource(after)}`];
}

/** A locked source for people: address, revision, date. */
export function formatSource(source: LockedSource): string {
  const date = formatDate(source.lastModified);
  const dir = source.dir === undefined ? "" : `?dir=${source.dir}`;
  if (source.type === "path") return `path:${source.path}${dir} ${source.narHash} (${date})`;
  if (source.type === "tarball") {
    const rev = source.rev === undefined ? source.narHash : source.rev;
    return `tarball+${withoutCredentials(source.url)}${dir} ${rev} (${date})`;
  }
  const ref = source.ref === undefined ? "" : ` ${source.ref.replace(/^refs\/(heads|tags)\//, "")}`;
  return `git+${withoutCredentials(source.url)}${dir}${ref} ${source.rev} (${date})`;
}

function formatDate(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}

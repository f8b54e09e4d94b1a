import { type LockChange, type LockedSource, withoutCredentials } from "../../../../core/flake/index.ts";

/** A change of the lock in one to three lines: what moved, from where, to where. */
export function formatChange({ kind, input, before, after, follows }: LockChange): string[] {
  const name = input.join("/");
  if (follows !== undefined)
    return [follows.length === 0 ? `${kind} ${name}: left out` : `${kind} ${name}: follows ${follows.join("/")}`];
  if (kind === "removed" || after === undefined)
    return [`removed ${name}${before === undefined ? "" : `: ${formatSource(before)}`}`];
  if (before === undefined) return [`added ${name}: ${formatSource(after)}`];
  return [`updated ${name}:`, `  ${formatSource(before)}`, `→ ${formatSource(after)}`, ...commitRange(before, after)];
}

/** What git calls the commits between, where both are of one repository; on the web where that is known. */
function commitRange(before: LockedSource, after: LockedSource): string[] {
  if (before.type !== "git" || after.type !== "git" || before.url !== after.url || before.rev === after.rev) return [];
  const page = /^(https:\/\/(github|gitlab)\.com\/[^/@]+\/[^/@]+?)(\.git)?$/.exec(after.url);
  const compare =
    page === null ? "" : `  ${page[1]}${page[2] === "gitlab" ? "/-" : ""}/compare/${before.rev}...${after.rev}`;
  return [`  commits ${before.rev.slice(0, 10)}..${after.rev.slice(0, 10)}${compare}`];
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
  if (source.type === "file") {
    const when = source.lastModified === 0 ? "" : ` (${date})`;
    return `file+${withoutCredentials(source.url)} ${source.narHash}${when}`;
  }
  const submodules = source.submodules === true ? " with submodules" : "";
  const lfs = source.lfs === true ? " with large files" : "";
  const ref = source.ref === undefined ? "" : ` ${source.ref.replace(/^refs\/(heads|tags)\//, "")}`;
  return `git+${withoutCredentials(source.url)}${dir}${ref}${submodules}${lfs} ${source.rev} (${date})`;
}

function formatDate(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}

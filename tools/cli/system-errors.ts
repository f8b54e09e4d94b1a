import { CodedError } from "../../core/base/index.ts";

/** What the operating system can answer to a well-meant request, in words. */
const MEANINGS: Readonly<Record<string, { code: string; found: string; hint?: string }>> = {
  ENOSPC: {
    code: "disk.full",
    found: "no space is left on the device",
    hint: "Free some space there (`df -h` shows how much each file system has), then run the command again: what was finished is kept.",
  },
  EDQUOT: { code: "disk.quota", found: "the disk quota is used up" },
  EROFS: { code: "file.read-only", found: "the file system is read-only" },
  EACCES: { code: "file.permission", found: "permission denied" },
  EPERM: { code: "file.permission", found: "operation not permitted" },
  ENOENT: { code: "file.missing", found: "it does not exist" },
  ENOTDIR: { code: "file.not-a-directory", found: "a part of the path is not a directory" },
  EISDIR: { code: "file.is-a-directory", found: "it is a directory" },
  ELOOP: { code: "file.symlink-loop", found: "too many symbolic links" },
  EMFILE: {
    code: "process.too-many-files",
    found: "too many open files",
    hint: "Raise the limit with `ulimit -n 4096`.",
  },
};

const VERBS: Readonly<Record<string, string>> = {
  open: "open",
  read: "read",
  write: "write",
  mkdir: "create",
  rename: "rename",
  unlink: "remove",
  rmdir: "remove",
  stat: "look at",
  lstat: "look at",
  scandir: "list",
  symlink: "create",
  readlink: "read",
  chmod: "change",
  access: "use",
  copyfile: "copy",
  ftruncate: "write",
  fsync: "write",
};

/**
 * A failure of the operating system as an error with code and hint; everything else is passed through.
 *
 * Only failures that name their path, and a full disk, are explained: another one is a fault whose stack helps more.
 */
export function explainSystemError(error: unknown): unknown {
  if (!(error instanceof Error) || error.name === "CodedError") return error;
  if (isDamagedDatabase(error)) return databaseDamaged(error);
  const { code, path, syscall } = error as NodeJS.ErrnoException;
  const meaning = fullDisk(error) ? MEANINGS["ENOSPC"] : code === undefined ? undefined : MEANINGS[code];
  if (meaning === undefined || (path === undefined && meaning.code !== "disk.full")) return error;
  const verb = VERBS[syscall ?? ""] ?? "use";
  const object = path === undefined ? (verb === "use" ? "write" : verb) : `${verb} "${path}"`;
  return new CodedError(
    meaning.code,
    `Cannot ${object}: ${meaning.found}`,
    meaning.hint === undefined ? {} : { hint: meaning.hint },
  );
}

/** SQLite reports a full disk with its own words (SQLITE_FULL, 13). */
function fullDisk(error: Error): boolean {
  return "errcode" in error && error.errcode === 13;
}

/** SQLITE_CORRUPT (11, with its kinds in the higher bits) and SQLITE_NOTADB (26). */
function isDamagedDatabase(error: Error): boolean {
  return "errcode" in error && typeof error.errcode === "number" && [11, 26].includes(error.errcode & 0xff);
}

function databaseDamaged(cause: Error): CodedError {
  return new CodedError("store.database-damaged", `Cannot use the database of the store: ${cause.message}`, {
    hint: "`floe store recover` makes it anew from the journal beside it and from what is in the store.",
    cause,
  });
}

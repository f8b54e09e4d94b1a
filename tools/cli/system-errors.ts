import { CodedError } from "../../core/base/index.ts";

/** What the operating system can answer to a well-meant request, in words. */
const MEANINGS: Readonly<Record<string, { code: string; found: string; hint?: string }>> = {
  ENOSPC: {
    code: "disk.full",
    found: "no space is left on the device",
    hint: "Free some space there (`df -h` shows how much each file system has), then run the command again: what was finished is kept.",
  },
  EIO: {
    code: "disk.io-error",
    found: "the device does not read or write what it was asked to",
    hint: "Look at `dmesg` and at the health of the disk; `floe store verify` says what is hurt.",
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
 * Only failures that name their path, and those of a device, are explained: another one is a fault whose stack helps more.
 */
export function explainSystemError(error: unknown): unknown {
  if (!(error instanceof Error) || error.name === "CodedError") return error;
  if (databaseCode(error) === "damaged") return databaseDamaged(error);
  const { code = "", path, syscall } = error as NodeJS.ErrnoException;
  const meaning = MEANINGS[databaseCode(error) ?? code];
  if (meaning === undefined || (path === undefined && !NEEDS_NO_PATH.has(meaning.code))) return error;
  const verb = VERBS[syscall ?? ""] ?? "use";
  const object = path === undefined ? (verb === "use" ? "write" : verb) : `${verb} "${path}"`;
  return new CodedError(
    meaning.code,
    `Cannot ${object}: ${meaning.found}`,
    meaning.hint === undefined ? {} : { hint: meaning.hint },
  );
}

/** Faults of a device say enough although the call does not name its file. */
const NEEDS_NO_PATH = new Set(["disk.full", "disk.quota", "disk.io-error", "file.read-only"]);

/** What SQLite reports, by the lower byte of its codes; the upper ones tell kinds. */
const DATABASE_CODES: Readonly<Record<number, string>> = {
  8: "EROFS",
  10: "EIO",
  11: "damaged",
  13: "ENOSPC",
  26: "damaged",
};

/** The shared index of the log cannot be made large enough (SQLITE_IOERR_SHMSIZE): the disk is full. */
const NO_ROOM_FOR_INDEX = 10 | (19 << 8);

function databaseCode(error: Error): string | undefined {
  if (!("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode === NO_ROOM_FOR_INDEX ? "ENOSPC" : DATABASE_CODES[error.errcode & 0xff];
}

function databaseDamaged(cause: Error): CodedError {
  return new CodedError("store.database-damaged", `Cannot use the database of the store: ${cause.message}`, {
    hint: "`floe store recover` makes it anew from the journal beside it and from what is in the store.",
    cause,
  });
}

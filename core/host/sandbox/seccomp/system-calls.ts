/** What is asked about one system call. */
export type Rule =
  /** Refused with an error number. */
  | { readonly kind: "refuse"; readonly errno: number }
  /** Refused when the mode it sets (argument, counted from 0) has a set-user or set-group bit. */
  | { readonly kind: "mode"; readonly mode: number }
  /** The same where it makes a file, as its flags say. */
  | { readonly kind: "create"; readonly flags: number; readonly mode: number };

export const EPERM = 1;
export const ENOSYS = 38;
export const ENOTSUP = 95;

/** A set of numbers for the same system calls, as the kernel names it in `seccomp_data.arch`. */
export interface CallTable {
  readonly architecture: number;
  readonly rules: ReadonlyMap<number, Rule>;
}

interface Numbers {
  /** `open`, `creat`, `mknod` and `chmod`: newer architectures do without. */
  readonly old?: { readonly open: number; readonly creat: number; readonly mknod: number; readonly chmod: number };
  readonly fchmod: number;
  readonly fchmodat: number;
  readonly openat: number;
  readonly mknodat: number;
  /** `setxattr`; the eleven others of the family follow it. */
  readonly setxattr: number;
  /** `add_key`; `request_key` and `keyctl` follow it. */
  readonly addKey: number;
}

/** Since 2019 new calls have the same number everywhere. */
const IO_URING = [425, 426, 427];
const OPENAT2 = 437;
const FCHMODAT2 = 452;
const XATTR_AT = [463, 464, 465, 466];

function table(architecture: number, numbers: Numbers): CallTable {
  const { old, fchmod, fchmodat, openat, mknodat, setxattr, addKey } = numbers;
  const rules = new Map<number, Rule>();
  // The calls that are made most often come first.
  rules.set(openat, { kind: "create", flags: 2, mode: 3 });
  if (old !== undefined) {
    rules.set(old.open, { kind: "create", flags: 1, mode: 2 });
    rules.set(old.creat, { kind: "mode", mode: 1 });
    rules.set(old.mknod, { kind: "mode", mode: 1 });
    rules.set(old.chmod, { kind: "mode", mode: 1 });
  }
  rules.set(mknodat, { kind: "mode", mode: 2 });
  rules.set(fchmod, { kind: "mode", mode: 1 });
  for (const call of [fchmodat, FCHMODAT2]) rules.set(call, { kind: "mode", mode: 2 });
  for (let i = 0; i < 12; i++) rules.set(setxattr + i, { kind: "refuse", errno: ENOTSUP });
  for (const call of XATTR_AT) rules.set(call, { kind: "refuse", errno: ENOTSUP });
  for (let i = 0; i < 3; i++) rules.set(addKey + i, { kind: "refuse", errno: ENOSYS });
  // A filter does not see what goes through these: modes behind a pointer, calls queued in shared memory.
  for (const call of [OPENAT2, ...IO_URING]) rules.set(call, { kind: "refuse", errno: ENOSYS });
  return { architecture, rules };
}

/**
 * The system calls that are judged, for each architecture.
 *
 * Source: Linux, `arch/*` `/syscalls/*.tbl`, `include/uapi/linux/audit.h`.
 */
export const X86_64 = table(0xc000003e, {
  ...{ old: { open: 2, creat: 85, mknod: 133, chmod: 90 }, fchmod: 91, fchmodat: 268 },
  ...{ openat: 257, mknodat: 259, setxattr: 188, addKey: 248 },
});
export const I386 = table(0x40000003, {
  ...{ old: { open: 5, creat: 8, mknod: 14, chmod: 15 }, fchmod: 94, fchmodat: 306 },
  ...{ openat: 295, mknodat: 297, setxattr: 226, addKey: 286 },
});
export const AARCH64 = table(0xc00000b7, {
  ...{ fchmod: 52, fchmodat: 53, openat: 56, mknodat: 33, setxattr: 5, addKey: 217 },
});
export const ARM = table(0x40000028, {
  ...{ old: { open: 5, creat: 8, mknod: 14, chmod: 15 }, fchmod: 94, fchmodat: 333 },
  ...{ openat: 322, mknodat: 324, setxattr: 226, addKey: 309 },
});

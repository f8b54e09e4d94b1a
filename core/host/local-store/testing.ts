import { spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeTree } from "../files/index.ts";
import { type LocalStore, openLocalStore } from "./local-store.ts";

/** A fresh chroot store in a temporary folder, for tests. `close` removes it. */
export function openTemporaryStore(): { readonly store: LocalStore; readonly folder: string; close(): void } {
  const folder = mkdtempSync(join(tmpdir(), "floe-store-"));
  const store = openLocalStore({ root: join(folder, "root") });
  return {
    store,
    folder,
    close() {
      store.close();
      removeTree(folder);
    },
  };
}

/** Calls of the system that set and list attributes, by perl: number on this architecture. */
const SETXATTR = process.arch === "arm64" ? 5 : 188;
const LLISTXATTR = process.arch === "arm64" ? 12 : 195;

function perl(
  program: string,
  ...args: readonly string[]
): { readonly stdout: string; readonly refused: string | undefined } {
  const { status, stdout, stderr, error } = spawnSync("perl", ["-e", program, ...args], { encoding: "utf8" });
  return { stdout, refused: status === 0 ? undefined : (error?.message ?? stderr) };
}

/** Give a file an extended attribute. @returns Why that cannot be, where it cannot. */
export function setAttribute(file: string, name: string, value: string): string | undefined {
  const program = `my ($f, $n, $v) = @ARGV; syscall(${SETXATTR}, $f, $n, $v, length $v, 0) == 0 or die "$!"`;
  return perl(program, file, name, value).refused;
}

/** Names of a file's attributes, sorted. */
export function listAttributes(file: string): string[] {
  const program = `my $b = "\\0" x 4096; my $s = syscall(${LLISTXATTR}, $ARGV[0], $b, 4096); die "$!" if $s < 0; print substr($b, 0, $s)`;
  const { stdout, refused } = perl(program, file);
  if (refused !== undefined) throw new Error(refused);
  return stdout
    .split("\0")
    .filter((name) => name !== "")
    .sort();
}

/** Let a directory give a user's rights to all that is made in it. @returns Why that cannot be, where it cannot. */
export function giveDefaultAcl(directory: string): string | undefined {
  // Owner, user 1234, group, mask, others. Source: Linux, posix_acl_xattr.h.
  const entries = "[1,7,-1],[2,5,1234],[4,5,-1],[16,5,-1],[32,5,-1]";
  const program = `my $v = pack("V", 2); $v .= pack("vvV", $_->[0], $_->[1], $_->[2] & 0xffffffff) for (${entries});
    my $n = "system.posix_acl_default"; syscall(${SETXATTR}, $ARGV[0], $n, $v, length $v, 0) == 0 or die "$!"`;
  return perl(program, directory).refused;
}

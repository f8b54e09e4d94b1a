import { readdirSync, readlinkSync } from "node:fs";
import { fromUtf8, utf8 } from "../../base/index.ts";

const LONE_BYTE = /[\uDC80-\uDCFF]/;
const REPLACEMENT = "\uFFFD";

/**
 * A path for `node:fs`. Node's own strings lose bytes that are not UTF-8; ours keep them (see `fromUtf8`), and such a path
 * goes to the system as bytes.
 */
export function hostPath(path: string): string | Buffer {
  return LONE_BYTE.test(path) ? Buffer.from(utf8(path)) : path;
}

/** Names in a directory, in no order, without loss. */
export function readNames(directory: string): string[] {
  const names = readdirSync(hostPath(directory));
  if (!names.some((name) => name.includes(REPLACEMENT))) return names;
  return readdirSync(hostPath(directory), { encoding: "buffer" }).map(fromUtf8);
}

/** Target of a symbolic link, without loss. */
export function readTarget(link: string): string {
  const target = readlinkSync(hostPath(link));
  return target.includes(REPLACEMENT) ? fromUtf8(readlinkSync(hostPath(link), { encoding: "buffer" })) : target;
}

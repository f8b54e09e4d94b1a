import { lstatSync } from "node:fs";
import { CodedError, equalBytes, formatHash } from "../../../../core/base/index.ts";
import { hashTree } from "../../../../core/host/files/index.ts";
import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import type { PathInfo } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import { openStore } from "../../store.ts";
import type { VerifyFlags } from "./index.ts";
import { getPathInfo } from "./valid-path.ts";

/** Compare what is on disk with what the store recorded; every difference is told, and one makes the command fail. */
export default async function verify(this: CliContext, flags: VerifyFlags, ...texts: string[]): Promise<void> {
  using store = openStore(flags, { readOnly: true });
  const paths = texts.length > 0 ? texts : store.allPaths();
  const faults: string[] = [];
  for (const [index, path] of paths.entries()) {
    this.signal.throwIfAborted();
    const info = getPathInfo(store, path);
    if (this.terminal.interactive) this.process.stderr.write(`\r\x1b[K${index + 1}/${paths.length} ${info.path}`);
    const fault = await checkObject(store, info, flags);
    if (fault !== undefined) faults.push(fault);
  }
  if (this.terminal.interactive) this.process.stderr.write("\r\x1b[K");
  if (faults.length > 0) {
    throw new CodedError(
      "store.damaged",
      `Cannot vouch for the store: ${faults.length} of ${paths.length} objects are damaged`,
      {
        details: faults,
        hint: "`floe build --rebuild` of what made an object shows what it should hold.",
      },
    );
  }
  this.say(`${paths.length} store objects are as they were registered`);
}

async function checkObject(store: LocalStore, info: PathInfo, flags: VerifyFlags): Promise<string | undefined> {
  const real = store.realPath(info.path);
  if (lstatSync(real, { throwIfNoEntry: false }) === undefined) return `${info.path}: it is not on disk`;
  const missing = info.references.find((reference) => !store.isValid(reference));
  if (missing !== undefined) return `${info.path}: it refers to ${missing}, which the store does not have`;
  if (!flags.contents) return undefined;
  const found = await hashTree(real);
  if (found.narSize === info.narSize && equalBytes(found.narHash.digest, info.narHash.digest)) return undefined;
  return `${info.path}: found ${formatHash(found.narHash, "sri")}, registered ${formatHash(info.narHash, "sri")}`;
}

import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { formatHash, type Hash, makeHasher } from "../../../../core/base/index.ts";
import { hashGit, hashTree } from "../../../../core/host/files/index.ts";
import type { CliContext } from "../../context.ts";
import { formOf, type HashFlags, type HashPathFlags } from "./index.ts";

/** `floe hash file`: the hash of the bytes of each file. */
export async function hashFile(this: CliContext, flags: HashFlags, ...paths: string[]): Promise<void> {
  for (const path of paths) {
    const hasher = makeHasher(flags.type);
    // Big pieces: reading is most of the time, and each piece costs a turn.
    for await (const chunk of createReadStream(resolve(this.cwd, path), { highWaterMark: 1024 * 1024 }))
      hasher.update(chunk as Uint8Array);
    show(this, flags, hasher.digest());
  }
}

/** `floe hash path`: the hash of each tree's archive, which is what the store records as its narHash, or that of its git tree. */
export async function hashPath(this: CliContext, flags: HashPathFlags, ...paths: string[]): Promise<void> {
  if (flags.mode === "flat") return hashFile.call(this, flags, ...paths);
  for (const path of paths) {
    const place = resolve(this.cwd, path);
    const { signal } = this;
    if (flags.mode === "git") show(this, flags, await hashGit(place, flags.type, { signal }));
    else show(this, flags, (await hashTree(place, { algorithm: flags.type, signal })).narHash);
  }
}

function show(context: CliContext, flags: HashFlags, hash: Hash): void {
  context.print(formatHash(hash, formOf(flags)));
}

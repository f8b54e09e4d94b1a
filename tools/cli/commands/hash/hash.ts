import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { formatHash, makeHasher } from "../../../../core/base/index.ts";
import { dumpTree } from "../../../../core/host/files/index.ts";
import type { CliContext } from "../../context.ts";
import type { HashFlags } from "./index.ts";

/** `floe hash file`: the hash of the bytes of each file. */
export async function hashFile(this: CliContext, flags: HashFlags, ...paths: string[]): Promise<void> {
  for (const path of paths) this.print(await hashOf(createReadStream(resolve(this.cwd, path)), flags));
}

/** `floe hash path`: the hash of each tree's archive, which is what the store records as its narHash. */
export async function hashPath(this: CliContext, flags: HashFlags, ...paths: string[]): Promise<void> {
  for (const path of paths) this.print(await hashOf(dumpTree(resolve(this.cwd, path)), flags));
}

async function hashOf(chunks: AsyncIterable<Uint8Array>, flags: HashFlags): Promise<string> {
  const hasher = makeHasher(flags.type);
  for await (const chunk of chunks) hasher.update(chunk);
  return formatHash({ algorithm: flags.type, digest: hasher.digest().digest }, flags.form);
}

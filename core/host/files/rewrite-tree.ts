import { type DigestRewrites, RewritingSink } from "../../store/index.ts";
import { TreeWriter } from "./tree-writer.ts";
import { walkNar } from "./walk.ts";

/**
 * Copy a tree to a place where nothing is yet, with other digests in its names, link targets and contents, and canonical
 * metadata. What was written stays when it fails. Errors as `walkNar`.
 */
export async function rewriteTree(from: string, to: string, rewrites: DigestRewrites): Promise<void> {
  const writer = new TreeWriter(to);
  const sink = new RewritingSink(writer, rewrites);
  try {
    for (const _ of walkNar(from, { sink })) await writer.busy();
    await writer.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

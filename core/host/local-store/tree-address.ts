import { createReadStream } from "node:fs";
import { type Hash, makeHasher } from "../../base/index.ts";
import { type ContentAddressMethod, makeContentAddressedPath, type StorePath } from "../../store/index.ts";
import { hashGit, hashTree } from "../files/index.ts";
import { type AddTreeOptions, checkRegular } from "./add-tree.ts";

/** Where a file or tree would be once it is added; nothing is written. Errors as `addTree`, but references need not be valid. */
export async function treeAddress({
  name,
  references,
  method = "recursive",
  ...tree
}: AddTreeOptions): Promise<StorePath> {
  const hash = await hashOf(method, tree);
  return makeContentAddressedPath(name, { method, hash }, { references: references ?? [] });
}

async function hashOf(method: ContentAddressMethod, tree: Omit<AddTreeOptions, "name" | "method">): Promise<Hash> {
  if (method === "recursive") return (await hashTree(tree.from, tree)).narHash;
  if (method === "git") return hashGit(tree.from, tree.algorithm ?? "sha256", tree);
  return hashFile(tree, method);
}

async function hashFile(
  { from, algorithm = "sha256" }: Pick<AddTreeOptions, "from" | "algorithm">,
  method: "flat" | "text",
): Promise<Hash> {
  checkRegular(from, method);
  const hasher = makeHasher(algorithm);
  for await (const piece of createReadStream(from, { highWaterMark: 1024 * 1024 })) hasher.update(piece as Uint8Array);
  return hasher.digest();
}

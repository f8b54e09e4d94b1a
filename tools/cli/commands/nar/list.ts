import { type NarListing, NarLister } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import { findNode } from "./find-node.ts";
import type { ListFlags } from "./index.ts";
import { openArchive } from "./open-archive.ts";

export default async function list(this: CliContext, flags: ListFlags, archive: string, path = ""): Promise<void> {
  const lister = new NarLister();
  for await (const chunk of openArchive(this, flags, archive)) lister.push(chunk);
  const node = findNode(lister.finish(), path);
  if (flags.json) return this.printJson(flags.recursive ? node : shallow(node));
  for (const line of lines(node, ".", flags.recursive)) this.print(line);
}

/** A directory without the contents of the directories in it. */
function shallow(node: NarListing): unknown {
  if (node.type !== "directory") return node;
  const entries = Object.entries(node.entries).map(([name, child]) => [name, { type: child.type }]);
  return { type: node.type, entries: Object.fromEntries(entries) };
}

function* lines(node: NarListing, path: string, recursive: boolean, top = true): Generator<string> {
  if (node.type === "regular") {
    yield `${node.executable === true ? "-r-xr-xr-x" : "-r--r--r--"} ${String(node.size).padStart(12)} ${path}`;
  } else if (node.type === "symlink") {
    yield `lrwxrwxrwx ${"0".padStart(12)} ${path} -> ${node.target}`;
  } else {
    if (!top || recursive) yield `dr-xr-xr-x ${"0".padStart(12)} ${path}`;
    if (!top && !recursive) return;
    for (const [name, child] of Object.entries(node.entries)) yield* lines(child, `${path}/${name}`, recursive, false);
  }
}

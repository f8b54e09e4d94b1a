import { type GcGraph, GcGraphBuilder, type StorePath } from "../../store/index.ts";
import type { StoreDatabase } from "./database.ts";

/** The whole graph of valid objects, as of one moment: three statements, however many objects there are. */
export function readGcGraph(database: StoreDatabase): GcGraph {
  return database.reading(() => {
    const builder = new GcGraphBuilder();
    /** Row number → node. Numbers are never used again, so there are gaps. */
    const nodes = new Map<number, number>();
    for (const [id, path, narSize, deriver] of database.rows("select id, path, narSize, deriver from ValidPaths")) {
      const node = builder.addObject(path as StorePath, (narSize ?? 0) as number, (deriver ?? undefined) as string);
      nodes.set(id as number, node);
    }
    for (const [referrer, reference] of database.rows("select referrer, reference from Refs")) {
      builder.addReference(nodes.get(referrer as number) as number, nodes.get(reference as number) as number);
    }
    for (const [drv, path] of database.rows("select drv, path from DerivationOutputs")) {
      builder.addOutput(nodes.get(drv as number) as number, path as string);
    }
    return builder.build();
  });
}

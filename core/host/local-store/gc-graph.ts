import { type GcGraph, GcGraphBuilder, type StorePath } from "../../store/index.ts";
import type { StoreDatabase } from "./database.ts";

/** The whole graph of valid objects, as of one moment: three statements, however many objects there are. */
export function readGcGraph(database: StoreDatabase): GcGraph {
  return database.reading(() => {
    const builder = new GcGraphBuilder();
    const [ids, paths, narSizes, derivers] = database.columns("ValidPaths", ["id", "path", "narSize", "deriver"]) as [
      number[],
      StorePath[],
      (number | null)[],
      (string | null)[],
    ];
    /** Row number → node. Numbers are never used again, so there are gaps. */
    const nodes = new Uint32Array(ids.reduce((last, id) => Math.max(last, id), 0) + 1);
    for (const [at, id] of ids.entries()) {
      nodes[id] = builder.addObject(paths[at] as StorePath, narSizes[at] ?? 0, derivers[at] ?? undefined);
    }
    const [referrers, references] = database.columns("Refs", ["referrer", "reference"]) as [number[], number[]];
    for (const [at, referrer] of referrers.entries()) {
      builder.addReference(nodes[referrer] as number, nodes[references[at] as number] as number);
    }
    const [drvs, outputs] = database.columns("DerivationOutputs", ["drv", "path"]) as [number[], string[]];
    for (const [at, drv] of drvs.entries()) builder.addOutput(nodes[drv] as number, outputs[at] as string);
    return builder.build();
  });
}

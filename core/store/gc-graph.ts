import type { StorePath } from "./store-path.ts";

/** Edges between numbered nodes: those of node `i` are `targets[starts[i]] … targets[starts[i + 1] - 1]`. */
export interface GcEdges {
  readonly starts: Uint32Array;
  readonly targets: Uint32Array;
}

/** Everything a collection has to know about the valid objects of a store, with numbers in place of paths. */
export interface GcGraph {
  /** Node → path. */
  readonly paths: readonly StorePath[];
  /** Path → node. */
  readonly nodes: ReadonlyMap<string, number>;
  /** Bytes of each object's archive. */
  readonly narSizes: Float64Array;
  readonly references: GcEdges;
  /** The recorded deriver of an object, where it is valid: one edge or none. */
  readonly derivers: GcEdges;
  /** From a `.drv` to the valid outputs it promises, and to those that name it as their deriver. */
  readonly outputs: GcEdges;
}

/** Collects the facts of a store, in any order, and gives its {@link GcGraph}. */
export class GcGraphBuilder {
  readonly #paths: StorePath[] = [];
  readonly #nodes = new Map<string, number>();
  readonly #narSizes: number[] = [];
  readonly #derivers: (string | undefined)[] = [];
  readonly #references = new EdgeList();
  readonly #outputs: { readonly drv: number; readonly path: string }[] = [];

  /** @returns the node of the object. */
  addObject(path: StorePath, narSize: number, deriver?: string): number {
    const node = this.#paths.length;
    this.#paths.push(path);
    this.#nodes.set(path, node);
    this.#narSizes.push(narSize);
    this.#derivers.push(deriver);
    return node;
  }

  addReference(referrer: number, reference: number): void {
    this.#references.add(referrer, reference);
  }

  /** A derivation promises this output, valid or not. */
  addOutput(drv: number, path: string): void {
    this.#outputs.push({ drv, path });
  }

  build(): GcGraph {
    const count = this.#paths.length;
    const derivers = new EdgeList();
    const outputs = new EdgeList();
    for (const { drv, path } of this.#outputs) {
      const output = this.#nodes.get(path);
      if (output !== undefined) outputs.add(drv, output);
    }
    for (const [node, path] of this.#derivers.entries()) {
      const deriver = path === undefined ? undefined : this.#nodes.get(path);
      if (deriver === undefined) continue;
      derivers.add(node, deriver);
      outputs.add(deriver, node);
    }
    return {
      paths: this.#paths,
      nodes: this.#nodes,
      narSizes: Float64Array.from(this.#narSizes),
      references: this.#references.sorted(count),
      derivers: derivers.sorted(count),
      outputs: outputs.sorted(count),
    };
  }
}

/** Edges as they come. */
class EdgeList {
  readonly #from: number[] = [];
  readonly #to: number[] = [];

  add(from: number, to: number): void {
    this.#from.push(from);
    this.#to.push(to);
  }

  /** Grouped by where they begin, by counting. */
  sorted(count: number): GcEdges {
    const starts = new Uint32Array(count + 1);
    for (const from of this.#from) starts[from + 1] = (starts[from + 1] as number) + 1;
    for (let node = 0; node < count; node++) starts[node + 1] = (starts[node + 1] as number) + (starts[node] as number);
    const next = starts.slice(0, count);
    const targets = new Uint32Array(this.#to.length);
    for (const [at, from] of this.#from.entries()) {
      const place = next[from] as number;
      targets[place] = this.#to[at] as number;
      next[from] = place + 1;
    }
    return { starts, targets };
  }
}

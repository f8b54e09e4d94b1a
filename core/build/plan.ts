import { CodedError, compareText, sortedText } from "../base/index.ts";
import { type Derivation, outputNames } from "../derivation/index.ts";
import type { StorePath } from "../store/index.ts";

/** What somebody asked for: some or all outputs of a derivation. */
export interface BuildTarget {
  readonly drvPath: StorePath;
  /** Names of the wanted outputs. Default: all. */
  readonly outputs?: readonly string[] | undefined;
}

/** Why a derivation has to be built. */
export type BuildReason =
  | { readonly kind: "missing-output"; readonly outputs: readonly string[]; readonly neededBy: StorePath | undefined }
  | { readonly kind: "rebuild" };

/** One derivation to build or to fetch. */
export interface BuildJob {
  readonly drvPath: StorePath;
  readonly drv: Derivation;
  /** `fetch` for fixed outputs made by a built-in builder: they take no build slot. */
  readonly kind: "build" | "fetch";
  readonly mode: "build" | "compare";
  readonly why: BuildReason;
  /** Jobs of this plan that have to be done first. */
  readonly dependencies: readonly StorePath[];
  /** Length of the longest chain of jobs that wait for this one; the longest chains start first. */
  readonly rank: number;
}

export interface BuildPlan {
  /** Jobs in a possible order: each comes after its dependencies. */
  readonly jobs: readonly BuildJob[];
  /** Wanted output paths, in the order of the targets. */
  readonly wanted: readonly StorePath[];
  /** How many derivations were looked at and found done. */
  readonly validCount: number;
}

/** What planning has to know about the store. */
export interface PlanSource {
  readDerivation(drvPath: StorePath): Derivation;
  isValid(path: StorePath): boolean;
}

export interface PlanBuildOptions extends PlanSource {
  readonly targets: readonly BuildTarget[];
  /** Build the targets themselves again, and compare. */
  readonly rebuild?: boolean;
}

/**
 * Path of one output.
 *
 * @throws {CodedError} `build.no-such-output`; `build.unknown-output-path` when it is known only after the build.
 */
export function outputPath(drvPath: StorePath, drv: Derivation, output: string): StorePath {
  const found = drv.outputs[output];
  if (found === undefined) {
    throw new CodedError(
      "build.no-such-output",
      `Cannot build output "${output}" of "${drvPath}": it has the outputs ${outputNames(drv).join(", ")}`,
    );
  }
  if (found.path === "") {
    throw new CodedError(
      "build.unknown-output-path",
      `Cannot build "${drvPath}": the path of output "${output}" is not known beforehand, expected an input-addressed or fixed output`,
    );
  }
  return found.path as StorePath;
}

/**
 * Decide what has to be done so that the targets are valid.
 *
 * A derivation whose wanted outputs are all valid is not looked into. The graph is walked without recursion, so its
 * depth has no limit.
 *
 * @throws {CodedError} `build.cycle` when derivations need each other (possible only in a damaged store).
 */
export function planBuild(options: PlanBuildOptions): BuildPlan {
  const { readDerivation, isValid } = options;
  const nodes = new Map<StorePath, Node>();
  const wanted: StorePath[] = [];
  const queue: Node[] = [];
  let validCount = 0;

  function want(
    drvPath: StorePath,
    outputs: readonly string[] | undefined,
    neededBy: StorePath | undefined,
  ): Node | undefined {
    let node = nodes.get(drvPath);
    const isNew = node === undefined;
    if (node === undefined) {
      node = {
        drvPath,
        drv: readDerivation(drvPath),
        missing: new Set(),
        neededBy,
        dependencies: new Map(),
        queued: false,
      };
      nodes.set(drvPath, node);
    }
    for (const name of outputs ?? outputNames(node.drv)) {
      if (!isValid(outputPath(drvPath, node.drv, name))) node.missing.add(name);
    }
    if (node.missing.size === 0) {
      if (isNew) validCount++;
      return options.rebuild === true && neededBy === undefined ? node : undefined;
    }
    return node;
  }
  function enqueue(node: Node): void {
    if (!node.queued) {
      node.queued = true;
      queue.push(node);
    }
  }

  for (const target of options.targets) {
    const node = want(target.drvPath, target.outputs, undefined);
    const drv = (nodes.get(target.drvPath) as Node).drv;
    for (const name of target.outputs ?? outputNames(drv)) wanted.push(outputPath(target.drvPath, drv, name));
    if (node !== undefined) enqueue(node);
  }
  for (let node = queue.shift(); node !== undefined; node = queue.shift()) {
    for (const [input, outputs] of node.drv.inputDerivations) {
      const dependency = want(input, outputs, node.drvPath);
      if (dependency === undefined) continue;
      node.dependencies.set(input, dependency);
      enqueue(dependency);
    }
  }

  const order = topological([...nodes.values()].filter((node) => node.queued));
  const ranks = rankByDependents(order);
  const jobs = order.map(
    (node): BuildJob => ({
      drvPath: node.drvPath,
      drv: node.drv,
      kind: node.drv.builder.startsWith("builtin:") ? "fetch" : "build",
      mode: node.missing.size === 0 ? "compare" : "build",
      why:
        node.missing.size === 0
          ? { kind: "rebuild" }
          : { kind: "missing-output", outputs: sortedText(node.missing), neededBy: node.neededBy },
      dependencies: [...node.dependencies.keys()],
      rank: ranks.get(node) ?? 0,
    }),
  );
  return { jobs, wanted, validCount };
}

interface Node {
  readonly drvPath: StorePath;
  readonly drv: Derivation;
  readonly missing: Set<string>;
  readonly neededBy: StorePath | undefined;
  readonly dependencies: Map<StorePath, Node>;
  queued: boolean;
}

/** Dependencies first; among equals in byte order of the path, so that plans do not depend on how they were found. */
function topological(nodes: readonly Node[]): Node[] {
  const order: Node[] = [];
  const state = new Map<Node, "open" | "done">();
  for (const start of [...nodes].sort((a, b) => compareText(a.drvPath, b.drvPath))) {
    const stack: { node: Node; rest: Node[] }[] = [];
    const enter = (node: Node): void => {
      state.set(node, "open");
      stack.push({ node, rest: [...node.dependencies.values()] });
    };
    if (!state.has(start)) enter(start);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const next = top.rest.pop();
      if (next === undefined) {
        state.set(top.node, "done");
        order.push(top.node);
        stack.pop();
      } else if (!state.has(next)) {
        enter(next);
      } else if (state.get(next) === "open") {
        const from = stack.findIndex((frame) => frame.node === next);
        throw new CodedError("build.cycle", `Cannot plan the build of "${next.drvPath}": it needs itself`, {
          details: stack.slice(from).map((frame) => frame.node.drvPath),
        });
      }
    }
  }
  return order;
}

function rankByDependents(order: readonly Node[]): Map<Node, number> {
  const ranks = new Map<Node, number>();
  for (const node of [...order].reverse()) {
    const rank = ranks.get(node) ?? 0;
    ranks.set(node, rank);
    for (const dependency of node.dependencies.values()) {
      ranks.set(dependency, Math.max(ranks.get(dependency) ?? 0, rank + 1));
    }
  }
  return ranks;
}

/** A short sentence for people: why this job is to be done. */
export function showReason(why: BuildReason): string {
  if (why.kind === "rebuild") return "asked to build again";
  const outputs =
    why.outputs.length === 1 && why.outputs[0] === "out" ? "missing" : `missing output ${why.outputs.join(", ")}`;
  return why.neededBy === undefined ? outputs : `${outputs}, needed by ${shortName(why.neededBy)}`;
}

/** Name of a derivation for people: the path without store directory, digest and `.drv`. */
export function shortName(drvPath: string): string {
  return drvPath.replace(/^.*\/[0-9a-z]{32}-/, "").replace(/\.drv$/, "");
}

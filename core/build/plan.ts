import { CodedError, sortedText } from "../base/index.ts";
import { type Derivation, fixedOutputOf, isImpure, outputNames } from "../derivation/index.ts";
import { attributesOf } from "./structured-attributes.ts";
import { isDerivationPath, type StorePath } from "../store/index.ts";
import { type BuildJob, type FollowJob, MOST_FOLLOWED, type Offer, type PlanJob, type SubstituteJob } from "./jobs.ts";
import { Offers } from "./offers.ts";
import { orderJobs, rankByDependents } from "./plan-order.ts";

/** What somebody asked for: some or all outputs of a derivation. */
export interface BuildTarget {
  readonly drvPath: StorePath;
  /** Names of the wanted outputs. Default: all. */
  readonly outputs?: readonly string[] | undefined;
  /** Not of the derivation itself, but of one that is its output, and so on: names as in `NestedInput`. Default: of itself. */
  readonly through?: readonly string[] | undefined;
}

/** What somebody needs of a derivation that was just found; see {@link FollowJob}. */
export type FoundTarget = BuildTarget & Pick<FollowJob, "neededBy" | "isTarget" | "depth">;

/** One output of a derivation by its name. */
export interface OutputName {
  readonly drvPath: StorePath;
  readonly output: string;
}

export interface WantedOutput extends OutputName {
  /** `undefined` while nobody knows it: the output is addressed by its content and was not built yet. */
  readonly path: StorePath | undefined;
}

export interface BuildPlan {
  /** Jobs in a possible order: each comes after its dependencies. */
  readonly jobs: readonly PlanJob[];
  /** Wanted outputs, in the order of the targets; without those of derivations that are still to be built. */
  readonly wanted: readonly WantedOutput[];
  /** Jobs that make what the targets want, or that follow to it; none where all is there. */
  readonly makers: readonly StorePath[];
  /** Derivations that targets with `through` turned out to be, as far as that is known. */
  readonly followed: ReadonlyMap<BuildTarget, BuildTarget>;
  /** How many derivations were looked at and found done. */
  readonly validCount: number;
}

/** What planning has to know about the store. */
export interface PlanSource {
  readDerivation(drvPath: StorePath): Derivation;
  isValid(path: StorePath): boolean;
  /** Where an output lies whose path the derivation does not state, when an earlier build found out. Default: nobody knows. */
  findOutput?(output: OutputName): StorePath | undefined;
  /** What an impure derivation has become by now, which counts for the moment alone. Default: nobody knows. */
  findImpureOutput?(output: OutputName): StorePath | undefined;
}

export interface PlanBuildOptions extends PlanSource {
  readonly targets: readonly (BuildTarget | FoundTarget)[];
  /** Store objects to have that no derivation is known for. Only other stores can give them. Default none. */
  readonly paths?: readonly StorePath[];
  /** Build the targets themselves again, and compare. */
  readonly rebuild?: boolean;
  /** Whether impure derivations may be built. Default false. */
  readonly impure?: boolean | undefined;
}

/** What other stores have to be asked before the plan can be finished; all at once. */
export interface PlanQuestion {
  readonly paths: readonly StorePath[];
  readonly outputs: readonly OutputName[];
}

export interface PlanAnswer {
  /** Paths without an entry are nowhere. */
  readonly offers: ReadonlyMap<StorePath, Offer>;
  /** Where the asked outputs lie; `undefined` where nobody knows. In the order of the question. */
  readonly outputs: readonly (StorePath | undefined)[];
}

/**
 * Path that a derivation states for one output.
 *
 * @throws {CodedError} `build.no-such-output`; `build.unknown-output-path` when it is known only after the build.
 */
export function outputPath(drvPath: StorePath, drv: Derivation, output: string): StorePath {
  checkOutput(drvPath, drv, output);
  const path = drv.outputs[output]?.path ?? "";
  if (path !== "") return path as StorePath;
  throw new CodedError(
    "build.unknown-output-path",
    `Cannot use output "${output}" of "${drvPath}": its path is known only after the build, expected an input-addressed or fixed output`,
  );
}

function checkOutput(drvPath: StorePath, drv: Derivation, output: string): void {
  const found = drv.outputs[output];
  if (found === undefined) {
    throw new CodedError(
      "build.no-such-output",
      `Cannot build output "${output}" of "${drvPath}": it has the outputs ${outputNames(drv).join(", ")}`,
    );
  }
}

/** @throws {CodedError} `build.impure` */
function checkMayBeImpure(drvPath: StorePath, drv: Derivation, allowed: boolean | undefined): void {
  if (allowed === true || !isImpure(drv)) return;
  throw new CodedError(
    "build.impure",
    `Cannot build "${drvPath}": it is impure, expected outputs that depend on nothing but the inputs`,
    { hint: 'Allow such derivations by --impure-derivations or the setting "impureDerivations": true.' },
  );
}

/**
 * What is pure follows from its inputs; only a declared hash makes up for one that is different each time.
 *
 * @throws {CodedError} `build.impure-input`
 *
 * Source: Nix, `DerivationGoal::gaveUpOnSubstitution`.
 */
function checkMayNeed(node: Pick<Node, "drvPath" | "drv">, input: Pick<Node, "drvPath" | "drv">): void {
  if (!isImpure(input.drv) || isImpure(node.drv) || fixedOutputOf(node.drv) !== undefined) return;
  throw new CodedError(
    "build.impure-input",
    `Cannot build "${node.drvPath}": it is pure and depends on "${input.drvPath}", which is impure`,
    { hint: "Declare the hash of its output, or make it impure too." },
  );
}

/** What an output is as a derivation. @throws {CodedError} `build.not-a-plan` */
export function checkIsPlan(drvPath: StorePath, output: string, path: StorePath): StorePath {
  if (isDerivationPath(path)) return path;
  throw new CodedError(
    "build.not-a-plan",
    `Cannot build what "${path}" describes: its name does not end in ".drv", so it is no derivation`,
    { hint: `It is the output "${output}" of "${drvPath}", which has to be named after what it is to build.` },
  );
}

/** {@link planSteps} when there are no other stores to ask. Errors as there. */
export function planBuild(options: PlanBuildOptions): BuildPlan {
  const steps = planSteps({ ...options, substitute: false });
  for (let step = steps.next(); ; step = steps.next({ offers: new Map(), outputs: [] }))
    if (step.done) return step.value;
}

/**
 * Decide what has to be done so that the targets are valid: asks in rounds what other stores have, then returns the plan.
 *
 * What can be substituted is not built, and what it was made from is not even looked at. A derivation whose wanted outputs are
 * all valid is not looked into. The graph is walked without recursion, so its depth has no limit.
 *
 * @throws {CodedError} `build.cycle` when derivations need each other (possible only in a damaged store), `build.no-such-output`,
 *   `build.impure`, `build.impure-input`, `build.no-substitute` for a wanted path that nobody has.
 */
export function* planSteps(
  options: PlanBuildOptions & {
    /** Whether other stores may be asked. Default true. */
    readonly substitute?: boolean;
  },
): Generator<PlanQuestion, BuildPlan, PlanAnswer> {
  const planner = new Planner(options);
  for (let question = planner.decide(); question !== undefined; question = planner.decide()) {
    planner.learn(question, yield question);
  }
  return planner.plan();
}

/** An output to follow; the jobs that wait for it know it by its id. */
interface Follow extends Omit<FollowJob, "rank" | "dependencies" | "neededBy" | "isTarget"> {
  /** Who has the output; `undefined` when what it is has been found and cannot be used. */
  readonly from: Node | undefined;
  readonly neededBy: Set<StorePath>;
  isTarget: boolean;
}

interface Node {
  readonly drvPath: StorePath;
  readonly drv: Derivation;
  /** Wanted outputs that are not there, with their paths where they are known. */
  readonly missing: Map<string, StorePath | undefined>;
  readonly neededBy: StorePath | undefined;
  readonly isTarget: boolean;
  /** As {@link FollowJob.depth}. */
  readonly depth: number;
  readonly dependencies: Set<Node>;
  readonly follows: Set<Follow>;
  decision: "open" | "build" | "substitute" | "done";
}

class Planner {
  readonly #options: PlanBuildOptions & { readonly substitute?: boolean };
  readonly #nodes = new Map<StorePath, Node>();
  readonly #follows = new Map<StorePath, Follow>();
  readonly #followed = new Map<BuildTarget, BuildTarget>();
  readonly #offers: Offers;
  /** Outputs other stores were asked for. */
  readonly #askedOutputs = new Set<string>();
  /** What the targets are made by. */
  readonly #reached: (Node | Follow)[] = [];
  #open: Node[] = [];
  #validCount = 0;

  constructor(options: PlanBuildOptions & { readonly substitute?: boolean }) {
    this.#options = options;
    this.#offers = new Offers((path) => options.isValid(path));
    for (const target of options.targets) {
      const { neededBy, isTarget, depth } = { neededBy: [], isTarget: true, depth: 0, ...target };
      const by = neededBy.map((path) => ({ drvPath: path, drv: options.readDerivation(path) }));
      const found = this.#reach(target, { by, isTarget, depth });
      this.#reached.push(found);
      if ("decision" in found && target.through !== undefined)
        this.#followed.set(target, { drvPath: found.drvPath, outputs: target.outputs });
    }
  }

  /** Decide what can be decided; gives what has to be asked for the rest. */
  decide(): PlanQuestion | undefined {
    const paths = new Set<StorePath>();
    const outputs = new Map<string, OutputName>();
    const undecided: Node[] = [];
    // Deciding to build adds nodes at the end.
    for (let node = this.#open.shift(); node !== undefined; node = this.#open.shift()) {
      if (node.decision !== "open") continue;
      const question = this.#decideOne(node);
      if (question === undefined) continue;
      undecided.push(node);
      for (const path of question.paths) paths.add(path);
      for (const output of question.outputs) outputs.set(outputId(output), output);
    }
    this.#open = undecided;
    for (const path of this.#options.paths ?? []) {
      const found = this.#offers.availability(path);
      if (found.kind === "ask") for (const each of found.paths) paths.add(each);
    }
    return paths.size + outputs.size === 0 || this.#options.substitute === false
      ? undefined
      : { paths: [...paths], outputs: [...outputs.values()] };
  }

  learn(question: PlanQuestion, answer: PlanAnswer): void {
    for (const path of question.paths) this.#offers.answer(path, answer.offers.get(path));
    for (const [i, asked] of question.outputs.entries()) {
      this.#askedOutputs.add(outputId(asked));
      const path = answer.outputs[i];
      if (path !== undefined) this.#nodes.get(asked.drvPath)?.missing.set(asked.output, path);
    }
  }

  plan(): BuildPlan {
    const { targets, paths = [], isValid } = this.#options;
    for (const path of paths) {
      if (this.#offers.availability(path).kind === "yes") continue;
      throw new CodedError("build.no-substitute", `Cannot get "${path}": it is in none of the stores to take it from`, {
        hint: "Name the flake's attribute it comes from, so that it can be evaluated and built.",
      });
    }
    const fetched = [...this.#nodes.values()].filter((node) => node.decision === "substitute").flatMap(missingPaths);
    const offers = this.#offers.missingClosure([...fetched, ...paths]);
    const jobs = new Map<StorePath, Unranked>();
    for (const [path, offer] of offers) {
      const dependencies = offer.info.references.filter((reference) => reference !== path && !isValid(reference));
      jobs.set(path, { kind: "substitute", id: path, path, offer, dependencies });
    }
    for (const node of this.#nodes.values()) if (node.decision === "build") jobs.set(node.drvPath, buildJob(node));
    for (const follow of this.#follows.values()) jobs.set(follow.id, followJob(follow));
    const order = orderJobs(jobs);
    const ranks = rankByDependents(order);
    return {
      jobs: order.map((job) => ({ ...job, rank: ranks.get(job.id) ?? 0 })),
      wanted: targets
        .map((target) => this.#followed.get(target) ?? target)
        .filter(({ through }) => through === undefined)
        .flatMap(({ drvPath, outputs }) =>
          (outputs ?? outputNames(this.#options.readDerivation(drvPath))).map((output) => ({
            drvPath,
            output,
            path: this.#nodes.get(drvPath)?.missing.get(output) ?? this.#pathOf(drvPath, output),
          })),
        ),
      makers: [...new Set(this.#reached.flatMap((each) => ("decision" in each ? jobsOf(each) : [each.id])))],
      followed: this.#followed,
      validCount: this.#validCount,
    };
  }

  /**
   * Want outputs of a derivation that may be an output itself. What can be followed at once is; where it turns out to be something that cannot
   * be used, that is for whoever follows it to find out again, so that it fails what needs it and nothing else.
   */
  #reach({ drvPath, outputs, through = [] }: BuildTarget, want: Want): Node | Follow {
    const [first, ...rest] = through;
    if (first === undefined) return this.#want(drvPath, outputs, want);
    const from = this.#want(drvPath, [first], { ...want, isTarget: false });
    const depth = want.depth + 1;
    const isThere = from.missing.has(first) ? undefined : this.#pathOf(drvPath, first);
    if (isThere !== undefined && depth <= MOST_FOLLOWED) {
      try {
        const target = { drvPath: checkIsPlan(drvPath, first, isThere), outputs, through: rest };
        return this.#reach(target, { ...want, depth });
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
      }
    }
    // With what is wanted in the end: a plan that is found later may want more than the one for which a known job follows.
    const wanted = outputs && sortedText(new Set(outputs));
    const id = `${[drvPath, ...through].join("!")}^${wanted?.join(",") ?? "*"}` as StorePath;
    const known = this.#follows.get(id);
    const follow: Follow = known ?? {
      kind: "follow",
      id,
      drvPath,
      through,
      outputs: wanted,
      isTarget: want.isTarget,
      depth,
      from: isThere === undefined ? from : undefined,
      neededBy: new Set(),
    };
    follow.isTarget ||= want.isTarget;
    for (const needer of want.by) follow.neededBy.add(needer.drvPath);
    this.#follows.set(id, follow);
    return follow;
  }

  #want(drvPath: StorePath, outputs: readonly string[] | undefined, { by, isTarget, depth }: Want): Node {
    let node = this.#nodes.get(drvPath);
    const isNew = node === undefined;
    if (node === undefined) {
      node = {
        drvPath,
        drv: this.#options.readDerivation(drvPath),
        missing: new Map(),
        neededBy: by[0]?.drvPath,
        isTarget,
        depth,
        dependencies: new Set(),
        follows: new Set(),
        decision: "done",
      };
      checkMayBeImpure(drvPath, node.drv, this.#options.impure);
    }
    for (const name of outputs ?? []) checkOutput(drvPath, node.drv, name);
    for (const needer of by) checkMayNeed(needer, node);
    this.#nodes.set(drvPath, node);
    const before = node.missing.size;
    for (const name of outputs ?? outputNames(node.drv)) {
      if (node.missing.has(name)) continue;
      const path = this.#pathOf(drvPath, name);
      if (path === undefined || !this.#options.isValid(path)) node.missing.set(name, path);
    }
    if (node.missing.size > before && node.decision !== "build") {
      node.decision = "open";
      this.#open.push(node);
    } else if (node.missing.size === 0 && isNew) {
      this.#validCount++;
      if (this.#options.rebuild === true && isTarget) this.#build(node);
    }
    return node;
  }

  #pathOf(drvPath: StorePath, output: string): StorePath | undefined {
    const drv = this.#options.readDerivation(drvPath);
    // What an earlier build made of it is not what is asked for.
    if (isImpure(drv)) return this.#options.findImpureOutput?.({ drvPath, output });
    const stated = drv.outputs[output]?.path ?? "";
    return stated === "" ? this.#options.findOutput?.({ drvPath, output }) : (stated as StorePath);
  }

  /** Decide on one derivation, or give what other stores have to be asked first. */
  #decideOne(node: Node): PlanQuestion | undefined {
    const { substitute, rebuild } = this.#options;
    const mustBuild = (rebuild === true && node.isTarget) || isImpure(node.drv);
    if (substitute === false || mustBuild || !allowsSubstitutes(node.drv)) return this.#build(node);
    const paths: StorePath[] = [];
    const outputs: OutputName[] = [];
    for (const [output, path] of node.missing) {
      if (path === undefined) {
        const asked = { drvPath: node.drvPath, output };
        if (this.#askedOutputs.has(outputId(asked))) return this.#build(node);
        outputs.push(asked);
        continue;
      }
      const found = this.#offers.availability(path);
      if (found.kind === "no") return this.#build(node);
      if (found.kind === "ask") paths.push(...found.paths);
    }
    if (paths.length + outputs.length > 0) return { paths, outputs };
    node.decision = "substitute";
    return undefined;
  }

  #build(node: Node): undefined {
    node.decision = "build";
    const want = { by: [node], isTarget: false, depth: node.depth };
    for (const [input, outputs] of node.drv.inputDerivations) node.dependencies.add(this.#want(input, outputs, want));
    for (const input of node.drv.nestedInputs ?? []) {
      const found = this.#reach(input, want);
      if ("decision" in found) node.dependencies.add(found);
      else node.follows.add(found);
    }
    return undefined;
  }
}

/** One text for one output: `<derivation>!<output>`. */
export function outputId({ drvPath, output }: OutputName): string {
  return `${drvPath}!${output}`;
}

function missingPaths(node: Node): StorePath[] {
  return [...node.missing.values()].filter((path) => path !== undefined);
}

type Unranked = Omit<BuildJob, "rank"> | Omit<SubstituteJob, "rank"> | Omit<FollowJob, "rank">;

/** Who wants outputs, and how. */
interface Want extends Pick<FollowJob, "isTarget" | "depth"> {
  readonly by: readonly Pick<Node, "drvPath" | "drv">[];
}

/** Jobs that make what is wanted of a derivation. */
function jobsOf(node: Node): StorePath[] {
  if (node.decision === "build") return [node.drvPath];
  return node.decision === "substitute" ? missingPaths(node) : [];
}

function followJob({ from, neededBy, ...rest }: Follow): Omit<FollowJob, "rank"> {
  return {
    ...rest,
    neededBy: [...neededBy],
    dependencies: from === undefined ? [] : jobsOf(from),
  };
}

function buildJob(node: Node): Omit<BuildJob, "rank"> {
  const { drvPath, drv, missing, neededBy } = node;
  const dependencies = [...[...node.dependencies].flatMap(jobsOf), ...[...node.follows].map(({ id }) => id)];
  return {
    id: drvPath,
    drvPath,
    drv,
    kind: drv.builder.startsWith("builtin:") ? "fetch" : "build",
    mode: missing.size === 0 ? "compare" : "build",
    why:
      missing.size === 0
        ? { kind: "rebuild" }
        : { kind: "missing-output", outputs: sortedText(missing.keys()), neededBy },
    dependencies: [...new Set(dependencies)],
  };
}

/** Derivations that are quicker to build than to fetch say so by `allowSubstitutes`. Source: Nix manual, "Advanced attributes". */
function allowsSubstitutes(drv: Derivation): boolean {
  const attributes = attributesOf(drv);
  if (attributes !== undefined) return attributes["allowSubstitutes"] !== false;
  return (drv.env["allowSubstitutes"] ?? "1") === "1";
}

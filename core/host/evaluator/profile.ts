import * as v from "valibot";
import { CodedError, compareText } from "../../base/index.ts";
import type { Places } from "./places.ts";

/** Where the time of evaluations went, as V8 samples it, with files of this machine. */
export interface EvaluationProfile {
  readonly nodes: readonly ProfileNode[];
  /** Microseconds. */
  readonly startTime: number;
  readonly endTime: number;
  /** The node that each sample met. */
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly scriptId: string;
    readonly url: string;
    /** From 0. */
    readonly lineNumber: number;
    readonly columnNumber: number;
  };
  readonly hitCount?: number | undefined;
  readonly children?: readonly number[] | undefined;
  /** `configuration`, the `engine`, or what is neither (V8 itself, the process around the evaluation). */
  readonly of?: "configuration" | "engine" | undefined;
}

const count = v.pipe(v.number(), v.integer());

/** It comes from a process that runs foreign code. */
const profile = v.object({
  nodes: v.array(
    v.object({
      id: count,
      callFrame: v.object({
        functionName: v.string(),
        scriptId: v.string(),
        url: v.string(),
        lineNumber: count,
        columnNumber: count,
      }),
      hitCount: v.optional(count),
      children: v.optional(v.array(count)),
    }),
  ),
  startTime: v.number(),
  endTime: v.number(),
  samples: v.optional(v.array(count), []),
  timeDeltas: v.optional(v.array(count), []),
});

/**
 * Read the profile that an evaluation wrote.
 *
 * @throws {CodedError} `evaluation.malformed-answer`
 */
export function parseProfile(json: string, places: Places): EvaluationProfile {
  let data: unknown;
  try {
    data = JSON.parse(json);
  } catch {
    // It is no profile, as is said below.
  }
  const result = v.safeParse(profile, data);
  if (!result.success)
    throw new CodedError(
      "evaluation.malformed-answer",
      "Cannot read the profile of the evaluation: it has another shape",
    );
  const { nodes, ...rest } = result.output;
  return { ...rest, nodes: nodes.map((node) => ({ ...node, ...placed(node, places) })) };
}

function placed(
  node: v.InferOutput<typeof profile>["nodes"][number],
  places: Places,
): Pick<ProfileNode, "callFrame" | "of"> {
  const inside = decode(node.callFrame.url.replace(/^file:\/\//, ""));
  if (!places.has(inside)) return { callFrame: node.callFrame, of: inside.startsWith("floe:") ? "engine" : undefined };
  const url = places.onHost(inside);
  return { callFrame: { ...node.callFrame, url }, of: places.isEngine(inside) ? "engine" : "configuration" };
}

function decode(text: string): string {
  try {
    return decodeURI(text);
  } catch {
    return text;
  }
}

/** Several profiles, one after the other, as one. */
export function joinProfiles(profiles: readonly EvaluationProfile[]): EvaluationProfile {
  const [only] = profiles;
  if (profiles.length === 1 && only !== undefined) return only;
  const nodes: ProfileNode[] = [];
  const roots: number[] = [];
  const samples: number[] = [];
  let next = 2;
  for (const each of profiles) {
    const ids = new Map(each.nodes.map(({ id }) => [id, next++]));
    const of = (id: number): number => ids.get(id) ?? 1;
    const inner = new Set(each.nodes.flatMap(({ children = [] }) => children));
    roots.push(...each.nodes.filter(({ id }) => !inner.has(id)).map(({ id }) => of(id)));
    nodes.push(...each.nodes.map((node) => ({ ...node, id: of(node.id), children: (node.children ?? []).map(of) })));
    for (const id of each.samples) samples.push(of(id));
  }
  const callFrame = { functionName: "(root)", scriptId: "0", url: "", lineNumber: -1, columnNumber: -1 };
  const startTime = only?.startTime ?? 0;
  const length = profiles.reduce((sum, each) => sum + (each.endTime - each.startTime), 0);
  return {
    nodes: [{ id: 1, callFrame, children: roots }, ...nodes],
    startTime,
    endTime: startTime + length,
    samples,
    timeDeltas: profiles.flatMap(({ timeDeltas }) => timeDeltas),
  };
}

/** The profile as Chrome, VS Code and speedscope open it (`.cpuprofile`). */
export function formatCpuProfile({ nodes, ...rest }: EvaluationProfile): string {
  return `${JSON.stringify({ ...rest, nodes: nodes.map(({ of: _, ...node }) => node) })}\n`;
}

/**
 * The profile as collapsed stacks, one per line with its microseconds, as flame graphs are made of. Calls of configuration are named by
 * function, file and line; what lies between them is Floe's own, and one frame.
 *
 * @param below Folder whose files are named relative to it.
 */
export function formatCollapsed(profile: EvaluationProfile, below: string): string {
  const stacks = stacksOf(profile, (node) =>
    node.of === "configuration"
      ? `${node.callFrame.functionName || "(anonymous)"} ${shortFile(node, below)}:${node.callFrame.lineNumber + 1}`
      : node.of === "engine"
        ? "floe"
        : node.callFrame.functionName.startsWith("(") &&
            !["(root)", "(anonymous)"].includes(node.callFrame.functionName)
          ? node.callFrame.functionName
          : undefined,
  );
  return [...stacks]
    .sort(([a], [b]) => compareText(a, b))
    .map(([stack, microseconds]) => `${stack} ${microseconds}\n`)
    .join("");
}

/** Time by file of configuration, what Floe did for it included; the longest first. Microseconds. */
export function timeByFile(
  profile: EvaluationProfile,
  below: string,
): (readonly [file: string, microseconds: number])[] {
  const stacks = stacksOf(profile, (node) => (node.of === "configuration" ? shortFile(node, below) : undefined));
  const times = new Map<string, number>();
  for (const [stack, time] of stacks) {
    const file = stack.slice(stack.lastIndexOf(";") + 1);
    if (file !== OUTSIDE) times.set(file, (times.get(file) ?? 0) + time);
  }
  return [...times].sort(([a, x], [b, y]) => y - x || compareText(a, b));
}

/** The name of what no frame has a name for. */
const OUTSIDE = "(evaluator)";

/** Microseconds by stack, whose frames have the names given; equal names in a row are one frame, `undefined` is none. */
function stacksOf(profile: EvaluationProfile, nameOf: (node: ProfileNode) => string | undefined): Map<string, number> {
  const callers = new Map<number, ProfileNode>();
  for (const node of profile.nodes) for (const child of node.children ?? []) callers.set(child, node);
  const names = new Map<number, string>();
  // Callers come before what they call.
  for (const node of profile.nodes) {
    const caller = callers.get(node.id);
    const above = caller === undefined ? "" : (names.get(caller.id) ?? "");
    const name = nameOf(node)?.replaceAll(/[;\n]/g, "_");
    const isSame = name === undefined || above === name || above.endsWith(`;${name}`);
    names.set(node.id, isSame ? above : above === "" ? name : `${above};${name}`);
  }
  const times = new Map<string, number>();
  profile.samples.forEach((id, i) => {
    const stack = names.get(id) || OUTSIDE;
    times.set(stack, (times.get(stack) ?? 0) + Math.max(0, profile.timeDeltas[i] ?? 0));
  });
  return times;
}

function shortFile({ callFrame: { url } }: ProfileNode, below: string): string {
  return url.startsWith(`${below}/`) ? url.slice(below.length + 1) : url;
}

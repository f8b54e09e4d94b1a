import type { Profiler } from "node:inspector";
import { type Context, SourceTextModule, SyntheticModule } from "node:vm";
import type { ErrorReport } from "../protocol.ts";

type Place = NonNullable<ErrorReport["at"]>;
type Node = Profiler.ProfileNode;

export interface WatchOptions {
  readonly context: Context;
  readonly milliseconds: number;
  /** What is watched; stopped when the time is over. */
  readonly run: () => void;
  /** Whether a file is one of configuration. */
  readonly counts: (file: string) => boolean;
}

/** Samples of configuration looked at: those taken last. */
const SAMPLES = 500;

/**
 * Where code of configuration spends its time, for an evaluation that does not end: a profile of its first moments.
 *
 * @returns `undefined` when it ended before, or no sample met a file of configuration. The column is that of a function when only
 *   parts of the engine that it called were met, and otherwise 1.
 */
export function watch({ context, milliseconds, run, counts }: WatchOptions): Place | undefined {
  const { Session } = process.getBuiltinModule("node:inspector");
  const session = new Session();
  session.connect();
  session.post("Profiler.enable");
  session.post("Profiler.start");
  let ended = false;
  const watched = new SyntheticModule(
    ["run"],
    function (this: SyntheticModule) {
      this.setExport("run", () => {
        run();
        ended = true;
      });
    },
    { context, identifier: "floe:watched" },
  );
  const module = new SourceTextModule('import { run } from "floe:watched"; run();', {
    context,
    identifier: "floe:watch",
  });
  module.linkRequests([watched]);
  module.instantiate();
  void module.evaluate({ timeout: milliseconds }).catch(() => {});
  let profile: Profiler.Profile | undefined;
  session.post("Profiler.stop", (_error, result) => {
    profile = result?.profile;
  });
  return ended || profile === undefined ? undefined : busiest(profile, counts);
}

function busiest({ nodes, samples = [] }: Profiler.Profile, counts: WatchOptions["counts"]): Place | undefined {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const callers = new Map<number, Node>();
  for (const node of nodes) for (const child of node.children ?? []) callers.set(child, node);
  const weights = new Map<Node, { samples: number; own: boolean }>();
  // From the last one on; some are of no code at all, as while memory is collected.
  for (let i = samples.length - 1, met = 0; i >= 0 && met < SAMPLES; i--) {
    const id = samples[i] as number;
    let node = byId.get(id);
    while (node !== undefined && !counts(fileOf(node))) node = callers.get(node.id);
    if (node === undefined) continue;
    met++;
    const weight = weights.get(node) ?? { samples: 0, own: false };
    weights.set(node, { samples: weight.samples + 1, own: weight.own || node.id === id });
  }
  const [most] = [...weights].sort(([, a], [, b]) => b.samples - a.samples);
  if (most === undefined) return undefined;
  const [node, { own }] = most;
  const file = fileOf(node);
  const { callFrame, positionTicks = [] } = node;
  const [line] = [...positionTicks].sort((a, b) => b.ticks - a.ticks);
  return own && line !== undefined
    ? { file, line: line.line, column: 1 }
    : { file, line: callFrame.lineNumber + 1, column: callFrame.columnNumber + 1 };
}

function fileOf({ callFrame: { url } }: Node): string {
  return fileOfUrl(url);
}

/** V8 names files by addresses. */
export function fileOfUrl(url: string): string {
  try {
    return decodeURI(url.replace(/^file:\/\//, ""));
  } catch {
    return url;
  }
}

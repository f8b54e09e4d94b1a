import { CodedError, compareText } from "../../../../core/base/index.ts";
import { type Mention, mentionsIn } from "../../../../core/host/files/index.ts";
import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import { findChains, type StorePath, storePathDigest } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import { openStore } from "../../store.ts";
import { plainText } from "../../text.ts";
import type { WhyDependsFlags } from "./ask-routes.ts";
import { getPathInfo } from "./valid-path.ts";

interface Step {
  readonly path: StorePath;
  /** Where the object that is one step nearer to the start mentions this one. */
  readonly mentions: readonly Mention[];
  readonly needs: readonly Step[];
}

/** `floe store why-depends`. Nothing is printed when the one does not need the other. */
export default async function whyDepends(
  this: CliContext,
  flags: WhyDependsFlags,
  from: string,
  to: string,
): Promise<void> {
  using store = openStore(flags, { readOnly: true });
  const start = getPathInfo(store, from).path;
  const end = getPathInfo(store, to).path;
  const chains = findChains(start, end, {
    referencesOf: store.referencesOfMany(),
    all: flags.all,
  });
  if (chains === undefined) {
    throw new CodedError("store.no-dependency", `Cannot show why "${start}" needs "${end}": it does not`, {
      hint: "`floe store query --requisites` lists what it needs.",
    });
  }
  const step = describe(store, start, chains, flags);
  if (flags.json) return this.printJson(step);
  this.print(start);
  const lines: string[] = [];
  draw(step.needs, "", lines);
  for (const line of lines) this.print(line);
}

/** Each object is followed once; where it occurs again, what it needs was shown. */
function describe(
  store: LocalStore,
  start: StorePath,
  chains: ReadonlyMap<StorePath, readonly StorePath[]>,
  flags: WhyDependsFlags,
): Step {
  const shown = new Set<StorePath>();
  const follow = (path: StorePath, mentions: readonly Mention[]): Step => {
    const next = shown.has(path) ? [] : [...(chains.get(path) ?? [])].sort(compareText);
    shown.add(path);
    const found = mentionsIn(store.realPath(path), next.map(storePathDigest), { first: !flags.precise });
    return {
      path,
      mentions,
      needs: next.map((each) => follow(each, found.get(storePathDigest(each)) ?? [])),
    };
  };
  return follow(start, []);
}

function draw(steps: readonly Step[], rest: string, lines: string[]): void {
  for (const [index, { path, mentions, needs }] of steps.entries()) {
    const last = index + 1 === steps.length;
    const below = `${rest}${last ? "    " : "│   "}`;
    for (const [nth, { file, fragment }] of mentions.entries()) {
      const branch = nth === 0 ? `${rest}${last ? "└───" : "├───"}` : below;
      lines.push(`${branch}${plainText(file === "" ? "/" : file)}: …${plainText(fragment)}…`);
    }
    // A mention that nothing holds: the reference was declared by an import.
    lines.push(mentions.length === 0 ? `${rest}${last ? "└───" : "├───"}${path}` : `${below}→ ${path}`);
    draw(needs, below, lines);
  }
}

import { CodedError, compareText } from "../../../../core/base/index.ts";
import { type Mention, mentionsIn } from "../../../../core/host/files/index.ts";
import { LocalStore } from "../../../../core/host/local-store/index.ts";
import { findChains, type StorePath, storePathDigest } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import { plainText } from "../../text.ts";
import type { WhyDependsFlags } from "./ask-routes.ts";
import { type AskedStore, openAskedStore, treeOf } from "./asked-store.ts";
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
  using store = await openAskedStore(this, flags, { texts: [from, to], reach: "closure" });
  const start = getPathInfo(store, from).path;
  const end = getPathInfo(store, to).path;
  const chains = findChains(start, end, {
    referencesOf:
      store instanceof LocalStore ? store.referencesOfMany() : (path) => store.queryPathInfo(path)?.references ?? [],
    all: flags.all,
  });
  if (chains === undefined) {
    throw new CodedError("store.no-dependency", `Cannot show why "${start}" needs "${end}": it does not`, {
      hint: "`floe store query --requisites` lists what it needs.",
    });
  }
  const step = await describe(store, start, chains, flags);
  if (flags.json) return this.printJson(step);
  this.print(start);
  const lines: string[] = [];
  draw(step.needs, "", lines);
  for (const line of lines) this.print(line);
}

/** Each object is followed once; where it occurs again, what it needs was shown. */
async function describe(
  store: AskedStore,
  start: StorePath,
  chains: ReadonlyMap<StorePath, readonly StorePath[]>,
  flags: WhyDependsFlags,
): Promise<Step> {
  const shown = new Set<StorePath>();
  const follow = async (path: StorePath, mentions: readonly Mention[]): Promise<Step> => {
    const next = shown.has(path) ? [] : [...(chains.get(path) ?? [])].sort(compareText);
    shown.add(path);
    if (next.length === 0) return { path, mentions, needs: [] };
    const found = mentionsIn(await treeOf(store, path), next.map(storePathDigest), { first: !flags.precise });
    const needs: Step[] = [];
    for (const each of next) needs.push(await follow(each, found.get(storePathDigest(each)) ?? []));
    return { path, mentions, needs };
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

import { CodedError, formatHash, sortedText } from "../../../../core/base/index.ts";
import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import { closureOf, isDerivationPath, type PathInfo, type StorePath } from "../../../../core/store/index.ts";
import { showUrl } from "../../../../core/fetch/index.ts";
import type { CliContext } from "../../context.ts";
import { isStoreAddress } from "../../flags.ts";
import type { QueryFlags } from "./ask-routes.ts";
import { type AskedStore, openAskedStore, type Reach } from "./asked-store.ts";
import { referenceGraph, referenceTree } from "./query-drawings.ts";
import { getPathInfo } from "./valid-path.ts";

type Answer = (store: AskedStore, infos: readonly PathInfo[], flags: QueryFlags) => readonly string[];

const UNKNOWN_DERIVER = "unknown-deriver";

const ANSWERS = {
  references: (_, infos) => union(infos, ({ references }) => references),
  referrers: (store, infos) => union(infos, ({ path }) => store.queryReferrers(path)),
  requisites,
  referrersClosure: (store, infos) => sortedText(closureOf(pathsOf(infos), (path) => store.queryReferrers(path))),
  deriver: (_, infos) => infos.map(({ deriver }) => deriver ?? UNKNOWN_DERIVER),
  validDerivers: (store, infos) => union(infos, ({ path }) => store.queryValidDerivers(path)),
  outputs: (store, infos) =>
    infos.flatMap(({ path }) => {
      const { outputs } = store.readDerivation(path);
      return sortedText(Object.keys(outputs)).flatMap((name) => outputs[name]?.path || []);
    }),
  hash: (_, infos) => infos.map(({ narHash }) => formatHash(narHash, "typed-base32")),
  size: (_, infos) => infos.map(({ narSize }) => String(narSize)),
  tree: (store, infos) => infos.flatMap(({ path }) => [...referenceTree(store, path)]),
  graph: (store, infos) => [...referenceGraph(store, pathsOf(infos))],
} satisfies Partial<Record<keyof QueryFlags, Answer>>;

/** How far the questions go that are about more than the named objects. */
const REACHES: Partial<Record<keyof QueryFlags, Reach>> = {
  requisites: "closure",
  tree: "closure",
  graph: "closure",
  referrers: "referrers",
  referrersClosure: "referrers-closure",
  resolve: "digests",
};

/** `floe store query`: one question about some objects. */
export default async function query(this: CliContext, flags: QueryFlags, ...texts: string[]): Promise<void> {
  const asked = ([...Object.keys(ANSWERS), "roots", "resolve"] as (keyof QueryFlags)[]).filter((name) => flags[name]);
  const [question] = asked;
  if (question === undefined || asked.length > 1) {
    throw new CodedError(
      "cli.conflicting-flags",
      `Cannot answer: found ${asked.length === 0 ? "no question" : `the questions ${asked.join(" and ")}`}, expected one`,
      { hint: "`floe store query --help` lists them, such as --references." },
    );
  }
  if (flags.store !== undefined && isStoreAddress(flags.store) && (question === "roots" || flags.includeOutputs)) {
    const { cannotAnswer } = await import("./distant-view.ts");
    throw cannotAnswer(showUrl(flags.store), question === "roots" ? "what keeps its objects" : "what derivations make");
  }
  using store = await openAskedStore(this, flags, { texts, reach: REACHES[question] ?? "objects" });
  const found =
    question === "resolve"
      ? texts.map((digest) => resolve(store, digest))
      : question === "roots"
        ? await roots(store as LocalStore, texts)
        : (ANSWERS[question as keyof typeof ANSWERS] as Answer)(
            store,
            texts.map((text) => getPathInfo(store, text)),
            flags,
          );
  if (flags.json) return this.printJson(found);
  if (found.length > 0) this.print(found.join("\n"));
}

function pathsOf(infos: readonly PathInfo[]): StorePath[] {
  return infos.map(({ path }) => path);
}

function union(infos: readonly PathInfo[], ask: (info: PathInfo) => readonly StorePath[]): string[] {
  return sortedText(new Set(infos.flatMap(ask)));
}

function requisites(store: AskedStore, infos: readonly PathInfo[], { includeOutputs }: QueryFlags): StorePath[] {
  const closure = store.closure(pathsOf(infos));
  if (!includeOutputs) return closure;
  const outputs = closure.filter(isDerivationPath).flatMap((path) =>
    Object.values(store.readDerivation(path).outputs)
      .map((output) => output.path as StorePath)
      .filter((output) => store.isValid(output)),
  );
  return store.closure([...closure, ...outputs]);
}

function resolve(store: AskedStore, digest: string): StorePath {
  const path = /^[0-9a-z]{32}$/.test(digest) ? store.queryByDigest(digest) : undefined;
  if (path !== undefined) return path;
  throw new CodedError("store.no-such-digest", `Cannot find "${digest}": no valid store path begins with this digest`, {
    hint: "A digest is the 32 characters between the store directory and the name.",
  });
}

/** Roots whose closure has one of the objects, as `LINK -> STORE-PATH`. */
async function roots(store: LocalStore, texts: readonly string[]): Promise<string[]> {
  const { collectGarbage } = await import("../../../../core/host/collector/index.ts");
  const report = await collectGarbage({ root: store.layout, dryRun: true, measure: false });
  const wanted = new Set(texts.map((text) => getPathInfo(store, text).path));
  return report.roots
    .filter(({ path }) => store.isValid(path) && store.closure([path]).some((each) => wanted.has(each)))
    .map(({ path, from }) => `${from} -> ${path}`);
}

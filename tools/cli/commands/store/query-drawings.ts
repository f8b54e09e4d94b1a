import { closureOf, type StorePath, storePathBaseName, storePathName } from "../../../../core/store/index.ts";
import type { AskedStore } from "./asked-store.ts";
import { getPathInfo } from "./valid-path.ts";

/**
 * What an object refers to, as a tree. An object that was shown already ends in ` [...]`; what others need comes before them, so that
 * the tree stays flat.
 *
 * Source: Nix 2.8, `nix-store --query --tree`.
 */
export function referenceTree(store: AskedStore, root: StorePath): string[] {
  const lines: string[] = [];
  const shown = new Set<StorePath>();
  const draw = (path: StorePath, first: string, rest: string): void => {
    if (shown.has(path)) {
      lines.push(`${first}${path} [...]`);
      return;
    }
    shown.add(path);
    lines.push(`${first}${path}`);
    const references = new Set(getPathInfo(store, path).references);
    const ordered = closureOf(references, (each) => getPathInfo(store, each).references).filter((each) =>
      references.has(each),
    );
    ordered.forEach((each, index) => {
      const last = index + 1 === ordered.length;
      draw(each, `${rest}${last ? "└───" : "├───"}`, `${rest}${last ? "    " : "│   "}`);
    });
  };
  draw(root, "", "");
  return lines;
}

/** Objects and what they refer to, for Graphviz: an arrow goes from a reference to what needs it. */
export function* referenceGraph(store: AskedStore, paths: readonly StorePath[]): Generator<string> {
  yield "digraph G {";
  for (const path of store.closure(paths)) {
    const { references } = getPathInfo(store, path);
    yield `  ${quoted(path)} [label = "${storePathName(path)}", shape = box];`;
    for (const reference of references) if (reference !== path) yield `  ${quoted(reference)} -> ${quoted(path)};`;
  }
  yield "}";
}

/** Names of store objects hold nothing that would have to be escaped. */
function quoted(path: StorePath): string {
  return `"${storePathBaseName(path)}"`;
}

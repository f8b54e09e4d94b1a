import { placeAt, type TextPlace } from "../../flake/index.ts";

/** A member of an object in a text of JSON. */
export interface JsonMember {
  /** Names that lead to it from the top, its own last; elements of lists have their number. */
  readonly path: readonly string[];
  readonly key: TextPlace;
  readonly value: TextPlace;
}

const TOKEN = /"(?:\\[\s\S]|[^"\\])*"|[{}[\]:,]|[^\s{}[\]:,"]+/g;

interface Open {
  readonly path: readonly string[];
  readonly names: Set<string> | undefined;
  index: number;
  key: { readonly name: string; readonly offset: number } | undefined;
}

/**
 * Find the first member of a JSON text, one that can be read, of which something is true.
 *
 * @param isIt Called with the path of each member, and whether its object has one of this name already.
 */
export function findMember(
  text: string,
  isIt: (path: readonly string[], isSecond: boolean) => boolean,
): JsonMember | undefined {
  const open: Open[] = [];
  let expectsKey = false;
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    const top = open.at(-1);
    if (token === "}" || token === "]") {
      open.pop();
      expectsKey = false;
    } else if (token === ",") {
      expectsKey = top?.names !== undefined;
      if (top !== undefined) top.index += 1;
    } else if (token === ":") {
      expectsKey = false;
    } else if (expectsKey && top?.names !== undefined) {
      top.key = { name: JSON.parse(token) as string, offset: index };
    } else {
      const path =
        top === undefined ? [] : [...top.path, top.names === undefined ? String(top.index) : (top.key?.name ?? "")];
      if (top?.key !== undefined) {
        const isSecond = top.names?.has(top.key.name) === true;
        if (isIt(path, isSecond)) return { path, key: placeAt(text, top.key.offset), value: placeAt(text, index) };
        top.names?.add(top.key.name);
      }
      if (token === "{" || token === "[") {
        open.push({ path, names: token === "{" ? new Set() : undefined, index: 0, key: undefined });
        expectsKey = token === "{";
      }
    }
  }
  return undefined;
}

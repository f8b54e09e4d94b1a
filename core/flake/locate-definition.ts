import { nameOf, placeAt, TOKEN, type TextPlace } from "./text-tokens.ts";

/**
 * Find where a call defines an option: the key at the end of the path, in an object that the call is given.
 *
 * It is a look at the text and no more: objects that are written out between the brackets of the call are understood, also inside
 * other calls (`force({ … })`) and lists. Where the whole path is not there, the place of its longest beginning that is.
 *
 * @param from Where the call is written: of `define({ … })`, its beginning or that of its last name.
 * @param path Of the option, `["services", "web", "port"]`.
 */
export function locateDefinition(text: string, from: TextPlace, path: readonly string[]): TextPlace | undefined {
  const start = offsetOf(text, from);
  if (start === undefined) return undefined;
  const places = keysOf(text.slice(start));
  for (let length = path.length; length > 0; length--) {
    const wanted = path.slice(0, length);
    const found = places.find(({ keys }) => endsWith(keys, wanted));
    if (found !== undefined) return placeAt(text, start + found.offset);
  }
  return undefined;
}

interface Key {
  /** Of the objects around it, outermost first, and its own last. */
  readonly keys: readonly string[];
  readonly offset: number;
}

/** All keys of objects between the first bracket and the one that closes it. */
function keysOf(text: string): Key[] {
  const found: Key[] = [];
  const open: { readonly isObject: boolean; readonly key: string | undefined; current?: string | undefined }[] = [];
  let word: { readonly name: string; readonly offset: number } | undefined;
  let begins = false;
  const take = (): void => {
    const top = open.at(-1);
    if (word === undefined || top?.isObject !== true) return;
    top.current = word.name;
    found.push({
      keys: [...open.map(({ key }) => key), word.name].filter((key) => key !== undefined),
      offset: word.offset,
    });
    word = undefined;
  };
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (token.startsWith("//") || token.startsWith("/*")) continue;
    const top = open.at(-1);
    if (token === "{" || token === "[" || token === "(") {
      open.push({ isObject: token === "{", key: top?.current });
      word = undefined;
      begins = true;
    } else if (token === "}" || token === "]" || token === ")") {
      // `{ port }` is short for `{ port: port }`.
      if (token === "}") take();
      open.pop();
      if (open.length === 0) break;
      word = undefined;
      begins = false;
    } else if (token === "," || token === ";") {
      take();
      if (top !== undefined) top.current = undefined;
      begins = true;
    } else if (token === ":") {
      take();
      begins = false;
    } else {
      word = begins ? { name: nameOf(token), offset: index } : undefined;
      begins = false;
    }
  }
  return found;
}

function endsWith(keys: readonly string[], wanted: readonly string[]): boolean {
  return keys.length >= wanted.length && wanted.every((key, i) => keys[keys.length - wanted.length + i] === key);
}

function offsetOf(text: string, { line, column }: TextPlace): number | undefined {
  const lines = text.split("\n");
  if (line > lines.length) return undefined;
  return lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0) + column - 1;
}

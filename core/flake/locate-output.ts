import { nameOf, placeAt, TOKEN, type TextPlace } from "./text-tokens.ts";

/**
 * Find where the text of a `flake.config.ts` writes a member of its outputs: the place of its key.
 *
 * It is a look at the text and no more: objects that are written out are understood, what is put together in other ways is not
 * found. Where the whole path is not there, the place of its longest beginning that is; else that of the word `outputs`.
 *
 * @param path Names, from the output on: `["packages", "x86_64-linux", "hello"]`.
 * @returns The place, and how many of the names it is the place of.
 */
export function locateOutput(
  text: string,
  path: readonly string[],
): (TextPlace & { readonly depth: number }) | undefined {
  const start = /\boutputs\b(?=\s*[:(])/.exec(text)?.index;
  if (start === undefined) return undefined;
  const places = keyPlaces(text, start);
  for (let length = path.length; length > 0; length--) {
    const found = places.get(path.slice(0, length).join("\0"));
    if (found !== undefined) return { ...placeAt(text, found), depth: length };
  }
  return { ...placeAt(text, start), depth: 0 };
}

/** A bracket that is open: the keys that lead to its members, where it is an object. */
interface Open {
  readonly keys: readonly string[] | undefined;
  key: string | undefined;
}

/** Offsets of keys after `start`, by the keys of the objects around them. */
function keyPlaces(text: string, start: number): Map<string, number> {
  const places = new Map<string, number>();
  const open: Open[] = [];
  const tokens = [...text.slice(start).matchAll(TOKEN)].filter(({ 0: token }) => !/^\/[/*]/.test(token));
  tokens.forEach(({ 0: token, index }, i) => {
    const top = open.at(-1);
    const before = tokens[i - 1]?.[0] ?? "";
    if (/^[[({]$/.test(token)) {
      const holder = before === ":" && top?.keys !== undefined && top.key !== undefined ? [...top.keys, top.key] : [];
      open.push({ keys: token === "{" ? holder : undefined, key: undefined });
    } else if (/^[\])}]$/.test(token)) {
      open.pop();
    } else if (top?.keys !== undefined && isKey(tokens, i)) {
      top.key = nameOf(token);
      const path = [...top.keys, top.key].join("\0");
      if (!places.has(path)) places.set(path, start + index);
    }
  });
  return places;
}

/** Whether a word is the key of an object: at its beginning, and followed by what follows keys. */
function isKey(tokens: readonly RegExpExecArray[], i: number): boolean {
  const token = tokens[i]?.[0] ?? "";
  if (!/^["'`A-Za-z_$]/.test(token)) return false;
  const before = tokens[i - 1]?.[0] ?? "";
  const isGetter = before === "get" && /^[{,]$/.test(tokens[i - 2]?.[0] ?? "");
  return (isGetter || /^[{,]$/.test(before)) && /^[:,}(]$/.test(tokens[i + 1]?.[0] ?? "");
}

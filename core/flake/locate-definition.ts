import { keysOf } from "./keys-of-call.ts";
import { offsetOf, placeAt, type TextPlace } from "./text-tokens.ts";

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

function endsWith(keys: readonly string[], wanted: readonly string[]): boolean {
  return keys.length >= wanted.length && wanted.every((key, i) => keys[keys.length - wanted.length + i] === key);
}

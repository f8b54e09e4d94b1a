import { nameOf, placeAt, TOKEN, type TextPlace } from "./text-tokens.ts";

/**
 * Find where the text of a `flake.config.ts` declares an input: the place of its value, `"github:…"` or `{ url: … }`'s address.
 *
 * It is a look at the text and no more: objects that are written out are understood. Where the whole path of names is not there, the
 * place of its longest beginning that is. Where not even the input is, since its declaration is put together in some other way: the
 * place where its name is written before the outputs, else that of the word `inputs`.
 *
 * @param path Names of inputs: `["b", "c"]` for what is declared in place of the input `c` of `b`.
 * @param field A field of the declaration, whose value is looked for before its address.
 */
export function locateInput(text: string, path: readonly string[], field?: string): TextPlace | undefined {
  const places = placesOf(text);
  const own =
    field === undefined ? undefined : places.get([...path.flatMap((name) => ["inputs", name]), field].join("\0"));
  if (own !== undefined) return placeAt(text, own);
  for (let length = path.length; length > 0; length--) {
    const key = path.slice(0, length).flatMap((name) => ["inputs", name]);
    for (const field of [["url"], ["follows"], []]) {
      const found = places.get([...key, ...field].join("\0"));
      if (found !== undefined) return placeAt(text, found);
    }
  }
  const tokens = [...text.matchAll(TOKEN)].filter(({ 0: token }) => !/^\/[/*]/.test(token));
  const found = nameOffset(tokens, path[0]) ?? inputsOffset(tokens);
  return found === undefined ? undefined : placeAt(text, found);
}

/** Where a name is written as a key or a text, before the word `outputs` is. */
function nameOffset(tokens: readonly RegExpExecArray[], name: string | undefined): number | undefined {
  const end = tokens.findIndex(({ 0: token }, i) => token === "outputs" && /^[:(]$/.test(tokens[i + 1]?.[0] ?? ""));
  return tokens
    .slice(0, end < 0 ? tokens.length : end)
    .find(({ 0: token }, i) => nameOf(token) === name && (token !== name || tokens[i + 1]?.[0] === ":"))?.index;
}

/** Where the flake says what its inputs are: `inputs: …`, `inputs,` or `get inputs()`. */
function inputsOffset(tokens: readonly RegExpExecArray[]): number | undefined {
  const start = tokens.findIndex(({ 0: token }, i) => token === "default" && tokens[i - 1]?.[0] === "export");
  const isKey = ({ 0: token }: RegExpExecArray, i: number): boolean =>
    nameOf(token) === "inputs" &&
    /^([{,]|get)$/.test(tokens[i - 1]?.[0] ?? "") &&
    /^[:,(}]$/.test(tokens[i + 1]?.[0] ?? "");
  const keys = tokens.flatMap((token, i) => (isKey(token, i) ? [{ index: token.index, i }] : []));
  const own = keys.find(({ i }) => start >= 0 && i > start) ?? keys.find(({ i }) => tokens[i + 1]?.[0] === ":");
  return own?.index;
}

interface Open {
  /** The key whose value this bracket is, when it is the value of one. */
  readonly key: string | undefined;
  readonly isObject: boolean;
  /** The key before the last colon, whose value is being read. */
  current?: string | undefined;
}

/** Offset of the value at each path of keys, by the names of those of objects that hold each other. */
function placesOf(text: string): Map<string, number> {
  const places = new Map<string, number>();
  const open: Open[] = [];
  let before: { readonly word: string; readonly offset: number; readonly afterSeparator: boolean } | undefined;
  let separator = true;
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (token.startsWith("//") || token.startsWith("/*")) continue;
    const top = open.at(-1);
    if (top?.isObject === true && top.current !== undefined && before?.word === ":") {
      const path = pathOf(open);
      // The first one in the text is the flake's own; what comes below may be anything.
      if (path !== undefined && !places.has(path)) places.set(path, index);
    }
    if (token === "{" || token === "[" || token === "(") {
      open.push({ key: before?.word === ":" ? top?.current : undefined, isObject: token === "{" });
      separator = true;
    } else if (token === "}" || token === "]" || token === ")") {
      open.pop();
      separator = false;
    } else if (token === "," && top !== undefined) {
      top.current = undefined;
      separator = true;
    } else if (token === ":" && top?.isObject === true && before?.afterSeparator === true) {
      top.current = nameOf(before.word);
      separator = false;
      before = { word: ":", offset: index, afterSeparator: false };
      continue;
    } else {
      before = { word: token, offset: index, afterSeparator: separator };
      separator = false;
      continue;
    }
    before = { word: token, offset: index, afterSeparator: false };
  }
  return places;
}

/** Keys from the outermost `inputs` that is not inside a list or call within it. */
function pathOf(open: readonly Open[]): string | undefined {
  const keys = [...open.slice(1).map(({ key }) => key), open.at(-1)?.current];
  const start = keys.indexOf("inputs");
  if (start < 0) return undefined;
  const path = keys.slice(start);
  return path.includes(undefined) ? undefined : path.join("\0");
}

import { nameOf, TOKEN } from "./text-tokens.ts";

/** A key of an object that is written out in a call. */
export interface KeyOfCall {
  /** Of the objects around it, outermost first, and its own last. */
  readonly keys: readonly string[];
  readonly offset: number;
  /** The doc comment right above it, as it is written. */
  readonly comment: string | undefined;
}

/** All keys of objects between the first bracket and the one that closes it. */
export function keysOf(text: string): KeyOfCall[] {
  const found: KeyOfCall[] = [];
  const open: { readonly isObject: boolean; readonly key: string | undefined; current?: string | undefined }[] = [];
  let word: (Pick<KeyOfCall, "offset" | "comment"> & { readonly name: string }) | undefined;
  let begins = false;
  let comment: string | undefined;
  let end = 0;
  const take = (): void => {
    const top = open.at(-1);
    if (word === undefined || top?.isObject !== true) return;
    top.current = word.name;
    found.push({
      keys: [...open.map(({ key }) => key), word.name].filter((key) => key !== undefined),
      offset: word.offset,
      comment: word.comment,
    });
    word = undefined;
  };
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    const before = text.slice(end, index);
    end = index + token.length;
    if (token.startsWith("//") || token.startsWith("/*")) {
      // One behind something on its line is about that.
      const isAbove = before.includes("\n") || !/^[ \t]*\r?\n/.test(text.slice(end));
      if (/^\/\*\*(?!\/)/.test(token) && isAbove) comment = token;
      continue;
    }
    const above = comment;
    comment = undefined;
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
      word = begins ? { name: nameOf(token), offset: index, comment: above } : undefined;
      begins = false;
    }
  }
  return found;
}

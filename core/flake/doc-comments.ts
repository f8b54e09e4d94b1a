import { keysOf } from "./keys-of-call.ts";
import { offsetOf, type TextPlace } from "./text-tokens.ts";

/** What doc comments say of the keys of a call, by {@link keyOfPath}. */
export type DocComments = ReadonlyMap<string, string>;

/** The path of a key as one text. */
export function keyOfPath(keys: readonly string[]): string {
  return JSON.stringify(keys);
}

/**
 * The doc comments right above keys of the objects that a call is given, such as those of options in `declare(path, { … })`: the first
 * paragraph of each, in one line.
 *
 * Like `locateDefinition` a look at the text and no more: objects have to be written out between the brackets of the call.
 *
 * @param from Where the call is written.
 */
export function findDocComments(text: string, from: TextPlace): DocComments {
  const start = offsetOf(text, from);
  if (start === undefined) return new Map();
  const comments = new Map<string, string>();
  for (const { keys, comment } of keysOf(text.slice(start))) {
    const path = keyOfPath(keys);
    // What comes later under the same names is about the option itself, such as its `default`.
    if (!comments.has(path)) comments.set(path, comment ?? "");
  }
  const said = [...comments].map(([path, comment]) => [path, firstParagraph(comment)] as const);
  return new Map(said.filter(([, text]) => text !== ""));
}

/** Without tags; a link is what it is called. */
function firstParagraph(comment: string): string {
  const lines = comment
    .slice("/**".length, -"*/".length)
    .split("\n")
    .map((line) => line.replace(/^\s*\*/, "").trim());
  const first = lines.findIndex((line) => line !== "");
  const paragraph: string[] = [];
  for (const line of first < 0 ? [] : lines.slice(first)) {
    if (line === "" || line.startsWith("@")) break;
    paragraph.push(line);
  }
  return paragraph.join(" ").replace(/\{@\w+\s+(?:[^{}|]*\|\s*)?([^{}]*?)\s*\}/g, "$1");
}

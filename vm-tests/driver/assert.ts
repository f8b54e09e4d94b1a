import { isDeepStrictEqual } from "node:util";
import { CodedError } from "../../core/base/index.ts";
import type { Assert } from "../machine.ts";
import { callSite } from "./call-site.ts";

const LONGEST_VALUE = 2000;

/** The story's questions; a false one is a {@link CodedError} `story.assertion` at the story's line. */
export const storyAssert: Assert = {
  ok: (value, message) =>
    check(Boolean(value), message, () => [`found:    ${show(value)}`, "expected: something true"]),
  equal: (found, expected, message) =>
    check(Object.is(found, expected), message, () => [
      `found:    ${show(found)}`,
      `expected: ${show(expected)}`,
      ...(isDeepStrictEqual(found, expected) ? ["two objects with equal content: deepEqual() compares that"] : []),
    ]),
  notEqual: (found, unexpected, message) =>
    check(!Object.is(found, unexpected), message, () => [`found:    ${show(found)}`, "expected: anything else"]),
  deepEqual: (found, expected, message) =>
    check(isDeepStrictEqual(found, expected), message, () => [
      `found:    ${show(found)}`,
      `expected: ${show(expected)}`,
    ]),
  match: (found, pattern, message) =>
    check(found.search(pattern) >= 0, message, () => [`found:    ${show(found)}`, `expected: a match of ${pattern}`]),
  doesNotMatch: (found, pattern, message) =>
    check(found.search(pattern) < 0, message, () => [`found:    ${show(found)}`, `expected: no match of ${pattern}`]),
};

function check(fine: boolean, message: string | undefined, details: () => string[]): void {
  if (fine) return;
  const what = message ?? "the value is not what was expected";
  throw new CodedError("story.assertion", `Cannot go on with the story: ${what}`, {
    at: callSite(),
    details: details(),
    hint: "The report shows what the machines did until then: journal, console and commands.",
  });
}

function show(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : (JSON.stringify(value) ?? String(value));
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)} … (${text.length} characters)` : text;
}

import { CodedError } from "../../core/base/index.ts";

/**
 * Make a test of regular expressions: all of them have to occur, whatever the case of letters, each in any of the texts.
 *
 * @throws {CodedError} `search.bad-pattern`
 */
export function matchWords(words: readonly string[]): (texts: readonly string[]) => boolean {
  const patterns = words.map((word) => {
    try {
      return new RegExp(word, "iu");
    } catch (cause) {
      const hint = "Put a \\ before a sign that stands for itself.";
      throw new CodedError("search.bad-pattern", `Cannot search for "${word}": ${(cause as Error).message}`, {
        hint,
        cause,
      });
    }
  });
  return (texts) => patterns.every((pattern) => texts.some((text) => pattern.test(text)));
}

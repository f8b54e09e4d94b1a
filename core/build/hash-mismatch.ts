import { CodedError, formatHash, type Hash } from "../base/index.ts";
import { EXIT_CODES } from "./exit-code.ts";

/** The content is not what was declared. Both hashes are shown, and the line to paste when the new one is right. */
export function hashMismatch(name: string, declared: Hash, found: Hash, urls: readonly string[] = []): CodedError {
  const right = formatHash(found, "sri");
  return new CodedError("build.hash-mismatch", `Cannot accept "${name}": its content has another hash than declared`, {
    details: [
      ...urls.map((url) => `from:     ${url}`),
      `declared: ${formatHash(declared, "sri")}`,
      `found:    ${right}`,
    ],
    hint: `If the new content is what you want, write:  hash: "${right}"`,
    exitCode: EXIT_CODES.hashMismatch,
  });
}

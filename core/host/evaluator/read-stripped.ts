import { readFileSync } from "node:fs";

/**
 * Code of a flake's modules without their types, by the sha256 of their source text; none where the file is not there or damaged.
 *
 * @param file Its path or an open descriptor.
 */
export function readStripped(file: string | number): Record<string, string> {
  try {
    return { ...(JSON.parse(readFileSync(file, "utf8")) as Record<string, string> | null) };
  } catch {
    return {};
  }
}

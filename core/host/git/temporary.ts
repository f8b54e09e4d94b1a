import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";

/** A new empty folder; who makes it removes it. */
export function makeTemporaryFolder(purpose: string): string {
  return mkdtempSync(`${tmpdir()}/floe-${purpose}-`);
}

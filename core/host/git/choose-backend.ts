import type { Access } from "../fetch/access.ts";
import type { GitBackend } from "./backend.ts";

/**
 * The backend for an address. Loaded only when a repository is really asked, because it is large.
 *
 * @param access Who asks, for web servers that want to know; ssh has the user's keys.
 */
export async function chooseBackend(url: string, access?: Access): Promise<GitBackend> {
  if (/^https?:/.test(url)) return (await import("./http-backend.ts")).makeHttpBackend(access);
  return (await import("./program-backend.ts")).makeProgramBackend();
}

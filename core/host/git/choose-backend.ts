import type { GitBackend } from "./backend.ts";

/** The backend for an address. Loaded only when a repository is really asked, because it is large. */
export async function chooseBackend(url: string): Promise<GitBackend> {
  if (/^https?:/.test(url)) return (await import("./http-backend.ts")).httpBackend;
  return (await import("./program-backend.ts")).programBackend;
}

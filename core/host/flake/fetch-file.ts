import { chmodSync, rmSync } from "node:fs";
import { withoutCredentials } from "../../flake/index.ts";
import { makeScratch } from "../files/index.ts";
import { download } from "../fetch/download.ts";
import { type AddedSource, addTree } from "./add-source.ts";
import type { FetchContext } from "./fetch-source.ts";
import { explainFetch } from "./fetch-tarball.ts";

/**
 * Fetch a single file into the store, as it is and without the right to run it.
 *
 * @throws {CodedError} `fetch.unreachable`
 */
export async function fetchFile(url: string, context: FetchContext): Promise<AddedSource> {
  const { access, signal = new AbortController().signal, onNotice } = context;
  const folder = makeScratch("source");
  const to = `${folder}/source`;
  try {
    const { lastModified = 0 } = await download({
      urls: [url],
      to,
      algorithm: "sha256",
      access,
      keepSecure: true,
      signal,
      ...(onNotice === undefined ? {} : { notice: (text) => onNotice(withoutCredentials(text)) }),
    });
    chmodSync(to, 0o644);
    return { ...(await addTree(to, undefined, context.store)), lastModified };
  } catch (error) {
    throw explainFetch(error);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

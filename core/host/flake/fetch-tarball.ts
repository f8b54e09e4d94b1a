import { rmSync } from "node:fs";
import { CodedError } from "../../base/index.ts";
import { parseReference, type TarballReference, withoutCredentials } from "../../flake/index.ts";
import { makeScratch } from "../files/index.ts";
import { download } from "../fetch/download.ts";
import { unpackArchive } from "../fetch/unpack-archive.ts";
import { CERTIFICATE_HINT, LOGIN_HINT } from "../git/errors.ts";
import { type AddedSource, addTree } from "./add-source.ts";
import type { FetchContext } from "./fetch-source.ts";

/** An archive that was unpacked into the store. */
export interface FetchedTarball extends AddedSource {
  /** Where it lies for good, when its server says so; else where it was asked for. */
  readonly url: string;
  /** Commit that the server says it was made of. */
  readonly rev?: string;
}

/**
 * Fetch and unpack the archive of a reference.
 *
 * A server may say in a `Link` field with the relation `immutable` where just this archive lies for good; its parameters `rev`,
 * `lastModified` and `narHash` tell more, and the last one is checked.
 *
 * @throws {CodedError} `fetch.unreachable`, `fetch.bad-archive`, `flake.immutable-link`, `flake.nar-hash-mismatch`
 *
 * Source: Nix manual, "Lockable HTTP Tarball Protocol".
 */
export async function fetchTarball({ url }: TarballReference, context: FetchContext): Promise<FetchedTarball> {
  const { access, signal = new AbortController().signal, onNotice } = context;
  const folder = makeScratch("source");
  const shown = `"${withoutCredentials(url)}"`;
  try {
    const { immutable } = await download({
      urls: [url],
      to: `${folder}/archive`,
      algorithm: "sha256",
      access,
      keepSecure: true,
      signal,
      ...(onNotice === undefined ? {} : { notice: onNotice }),
    });
    const link = immutable === undefined ? undefined : readLink(immutable, shown);
    const to = `${folder}/source`;
    const { newestSeconds } = await unpackArchive({ file: `${folder}/archive`, to, what: shown, signal });
    const added = await addTree(to, undefined, context.store);
    if (link?.narHash !== undefined && link.narHash !== added.narHash) {
      throw new CodedError(
        "flake.nar-hash-mismatch",
        `Cannot use the archive ${shown}: its content is not what its server says`,
        { details: [`promised: ${link.narHash}`, `found:    ${added.narHash}`] },
      );
    }
    return {
      ...added,
      lastModified: link?.lastModified ?? newestSeconds,
      url: link?.url ?? url,
      ...(link?.rev === undefined ? {} : { rev: link.rev }),
    };
  } catch (error) {
    throw explainFetch(error);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The same error for who locks an input, and not for who builds something. */
export function explainFetch(error: unknown): unknown {
  if (!(error instanceof CodedError)) return error;
  const { code, message, details, hint, cause } = error;
  const said = (details ?? []).join("\n");
  const helps =
    code !== "fetch.unreachable"
      ? hint
      : /answered 40[13]/.test(said)
        ? LOGIN_HINT
        : /certificate/i.test(said)
          ? CERTIFICATE_HINT
          : "Check the address and the network; sources that are locked and in the store need neither.";
  return new CodedError(code, message, { details, hint: helps, cause });
}

function readLink(address: string, shown: string): TarballReference {
  try {
    const link = parseReference(address.startsWith("tarball+") ? address : `tarball+${address}`);
    if (link.kind === "tarball" && /^https?:/.test(link.url)) return link;
  } catch {
    // Told below.
  }
  throw new CodedError(
    "flake.immutable-link",
    `Cannot use the archive ${shown}: its server names "${withoutCredentials(address)}" as its lasting place, expected an http or https address of an archive`,
  );
}

import { formatHash, parseHash, sortedText } from "../../base/index.ts";
import type { PathInfo } from "../path-info.ts";
import type { StorePath } from "../store-path.ts";
import type { WireReader } from "./wire-reader.ts";
import type { WireWriter } from "./wire-writer.ts";

/** The minor version of the worker protocol from which path infos carry `ultimate`, signatures and content address. */
const WITH_TRUST = 16;
/** The minor version of the serve protocol from which they carry hash, content address and signatures. */
const SERVE_WITH_HASH = 4;

/**
 * The facts about a path without the path itself, as the worker protocol has them: deriver, base-16 NAR hash, references,
 * registration time, NAR size, and from 1.16 on `ultimate`, signatures and content address.
 *
 * @param minor Minor version of the protocol.
 */
export function writePathInfo(writer: WireWriter, info: PathInfo, minor: number): void {
  writer
    .text(info.deriver)
    .text(formatHash(info.narHash, "base16"))
    .set(info.references)
    .number(info.registrationTime ?? 0)
    .number(info.narSize);
  if (minor < WITH_TRUST) return;
  writer
    .bool(info.ultimate === true)
    .set(info.signatures)
    .text(info.ca);
}

/** The inverse of {@link writePathInfo}. Errors besides those of the reader: those of `parseHash` and `parseStorePath`. */
export async function readPathInfo(reader: WireReader, path: StorePath, minor: number): Promise<PathInfo> {
  const deriver = await reader.optionalPath();
  const narHash = parseHash(await reader.text(), "sha256");
  const references = sortedText(await reader.paths()) as StorePath[];
  const registrationTime = await reader.number();
  const narSize = await reader.number();
  const base = { path, narHash, narSize, references, ...optional({ deriver }), registrationTime };
  if (minor < WITH_TRUST) return { ...base, ultimate: false, signatures: [] };
  const ultimate = await reader.bool();
  const signatures = await readSignatures(reader);
  return { ...base, ultimate, signatures, ...optional({ ca: await reader.text() }) };
}

/**
 * One entry of the serve protocol's QueryPathInfos: path, deriver, references, download size, NAR size, and from 2.4 on
 * `sha256:<base 32>`, content address and signatures. The download size is that of the archive: nothing is compressed.
 */
export function writeServePathInfo(writer: WireWriter, info: PathInfo, minor: number): void {
  writer.text(info.path).text(info.deriver).set(info.references).number(info.narSize).number(info.narSize);
  if (minor < SERVE_WITH_HASH) return;
  writer.text(formatHash(info.narHash, "typed-base32")).text(info.ca).set(info.signatures);
}

/**
 * The inverse of {@link writeServePathInfo}, without the path in front; of 2.4 and later, since without a hash nothing can
 * be imported.
 */
export async function readServePathInfo(reader: WireReader, path: StorePath): Promise<PathInfo> {
  const deriver = await reader.optionalPath();
  const references = sortedText(await reader.paths()) as StorePath[];
  await reader.number();
  const narSize = await reader.number();
  const narHash = parseHash(await reader.text(), "sha256");
  const ca = await reader.text();
  return {
    path,
    narHash,
    narSize,
    references,
    signatures: await readSignatures(reader),
    ...optional({ deriver, ca }),
  };
}

async function readSignatures(reader: WireReader): Promise<string[]> {
  return sortedText(new Set(await reader.texts()));
}

/** Fields that are there only when they hold something. */
function optional<T extends Record<string, string | undefined>>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== "")) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
}

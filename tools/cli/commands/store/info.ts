import { formatHash } from "../../../../core/base/index.ts";
import type { PathInfo } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import { openStore } from "../../store.ts";
import { formatBytes } from "../../text.ts";
import type { InfoFlags } from "./index.ts";
import { getPathInfo } from "./valid-path.ts";

/** Show what the store knows about store objects. */
export default function info(this: CliContext, flags: InfoFlags, ...texts: string[]): void {
  using store = openStore(flags, { readOnly: true });
  const named = texts.map((text) => getPathInfo(store, text));
  const paths = flags.closure ? store.closure(named.map(({ path }) => path)) : named.map(({ path }) => path);
  const infos = paths.map((path) => getPathInfo(store, path));
  if (flags.json) return this.printJson(infos.map(infoJson));
  for (const object of infos) {
    if (flags.closure) this.print(`${formatBytes(object.narSize).padStart(10)}  ${object.path}`);
    else for (const line of describe(object)) this.print(line);
  }
  if (flags.closure) {
    this.say(`${infos.length} store objects, ${formatBytes(infos.reduce((sum, { narSize }) => sum + narSize, 0))}`);
  }
}

function* describe(info: PathInfo): Generator<string> {
  yield info.path;
  yield `  size        ${formatBytes(info.narSize)} (${info.narSize} bytes)`;
  yield `  hash        ${formatHash(info.narHash, "sri")}`;
  if (info.deriver !== undefined) yield `  deriver     ${info.deriver}`;
  if (info.ca !== undefined) yield `  content     ${info.ca}`;
  if (info.registrationTime !== undefined) {
    yield `  registered  ${new Date(info.registrationTime * 1000).toISOString()}`;
  }
  for (const signature of info.signatures) yield `  signed      ${signature}`;
  for (const reference of info.references) yield `  refers to   ${reference}`;
}

/** In the shape of `nix path-info --json`. */
function infoJson(info: PathInfo): Record<string, unknown> {
  return {
    path: info.path,
    narHash: formatHash(info.narHash, "sri"),
    narSize: info.narSize,
    references: info.references,
    ...(info.ca === undefined ? {} : { ca: info.ca }),
    ...(info.deriver === undefined ? {} : { deriver: info.deriver }),
    ...(info.registrationTime === undefined ? {} : { registrationTime: info.registrationTime }),
    ...(info.ultimate ? { ultimate: true } : {}),
    ...(info.signatures.length === 0 ? {} : { signatures: info.signatures }),
  };
}

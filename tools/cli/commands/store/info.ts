import { formatHash } from "../../../../core/base/index.ts";
import type { PathInfo, StorePath } from "../../../../core/store/index.ts";
import { LocalStore } from "../../../../core/host/local-store/index.ts";
import type { CliContext } from "../../context.ts";
import { formatBytes } from "../../text.ts";
import type { InfoFlags } from "./ask-routes.ts";
import { type AskedStore, openAskedStore } from "./asked-store.ts";
import { getPathInfo } from "./valid-path.ts";

/** Show what the store knows about store objects. */
export default async function info(this: CliContext, flags: InfoFlags, ...texts: string[]): Promise<void> {
  const reach = flags.recursive || flags.closureSize ? "closure" : "objects";
  using store = await openAskedStore(this, flags, { texts, reach });
  const named = texts.map((text) => getPathInfo(store, text));
  const infos = flags.recursive ? infosOfClosure(store, named) : named;
  const closureSizes = flags.closureSize ? sizesOfClosures(store, infos) : undefined;
  if (flags.json) return this.printJson(infos.map((each) => infoJson(each, closureSizes?.get(each.path))));
  if (flags.recursive || flags.size || flags.closureSize || flags.humanReadable || flags.sigs) {
    this.print([...table(infos, closureSizes, flags)].join("\n"));
  } else {
    for (const object of infos) for (const line of describe(object)) this.print(line);
  }
}

function infosOfClosure(store: AskedStore, named: readonly PathInfo[]): readonly PathInfo[] {
  const paths = named.map(({ path }) => path);
  if (!(store instanceof LocalStore)) return store.closure(paths).map((path) => getPathInfo(store, path));
  return store.closuresWithInfos([paths])[0] ?? [];
}

/** Closures of many objects overlap, so all of them are walked in one graph in memory. */
function sizesOfClosures(store: AskedStore, infos: readonly PathInfo[]): Map<StorePath, number> {
  // With a lower store the graph of the upper one is not all.
  if (!(store instanceof LocalStore) || store.layout.lower !== undefined) return sumsOfClosures(store, infos);
  const { nodes, narSizes, references } = store.readGcGraph();
  const seenBy = new Uint32Array(narSizes.length);
  const sizes = new Map<StorePath, number>();
  for (const [at, { path }] of infos.entries()) {
    const mark = at + 1;
    let sum = 0;
    const stack = [nodes.get(path) as number];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (seenBy[node] === mark) continue;
      seenBy[node] = mark;
      sum += narSizes[node] as number;
      const end = references.starts[node + 1] as number;
      for (let edge = references.starts[node] as number; edge < end; edge++)
        stack.push(references.targets[edge] as number);
    }
    sizes.set(path, sum);
  }
  return sizes;
}

function sumsOfClosures(store: AskedStore, infos: readonly PathInfo[]): Map<StorePath, number> {
  return new Map(
    infos.map(({ path }) => [
      path,
      store.closure([path]).reduce((sum, each) => sum + getPathInfo(store, each).narSize, 0),
    ]),
  );
}

/** Source: Nix 2.8, `nix path-info -rsSh --sigs`. */
function* table(
  infos: readonly PathInfo[],
  closureSizes: ReadonlyMap<StorePath, number> | undefined,
  flags: InfoFlags,
): Generator<string> {
  const width = Math.max(...infos.map(({ path }) => path.length));
  const size = (bytes: number): string => `\t${flags.humanReadable ? shortSize(bytes) : String(bytes).padStart(11)}`;
  for (const each of infos) {
    let line: string = each.path;
    if (flags.size || flags.closureSize || flags.sigs) line = line.padEnd(width);
    if (flags.size) line += size(each.narSize);
    if (closureSizes !== undefined) line += size(closureSizes.get(each.path) as number);
    if (flags.sigs) {
      const vouchers = [
        ...(each.ultimate === true ? ["ultimate"] : []),
        ...(each.ca === undefined ? [] : [`ca:${each.ca}`]),
        ...each.signatures,
      ];
      line += `\t${vouchers.join(" ")}`;
    }
    yield line;
  }
}

function shortSize(bytes: number): string {
  let size = bytes;
  let unit = 0;
  for (; size > 1024 && unit < UNITS.length - 1; unit++) size /= 1024;
  return `${size.toFixed(1).padStart(6)}${UNITS[unit]}`;
}

const UNITS = " KMGTPEZY";

function* describe(info: PathInfo): Generator<string> {
  yield info.path;
  yield `  size        ${formatBytes(info.narSize)} (${info.narSize} bytes)`;
  yield `  hash        ${formatHash(info.narHash, "sri")}`;
  if (info.deriver !== undefined) yield `  deriver     ${info.deriver}`;
  if (info.ca !== undefined) yield `  content     ${info.ca}`;
  if (info.registrationTime !== undefined) {
    yield `  registered  ${new Date(info.registrationTime * 1000).toISOString()}`;
  }
  if (info.ultimate === true) yield "  built here";
  for (const signature of info.signatures) yield `  signed      ${signature}`;
  for (const reference of info.references) yield `  refers to   ${reference}`;
}

/** In the shape of `nix path-info --json`. */
function infoJson(info: PathInfo, closureSize: number | undefined): Record<string, unknown> {
  return {
    path: info.path,
    narHash: formatHash(info.narHash, "sri"),
    narSize: info.narSize,
    references: info.references,
    ...(info.ca === undefined ? {} : { ca: info.ca }),
    ...(closureSize === undefined ? {} : { closureSize }),
    ...(info.deriver === undefined ? {} : { deriver: info.deriver }),
    ...(info.registrationTime === undefined ? {} : { registrationTime: info.registrationTime }),
    ...(info.ultimate ? { ultimate: true } : {}),
    ...(info.signatures.length === 0 ? {} : { signatures: info.signatures }),
  };
}

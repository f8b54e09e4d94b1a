import { existsSync, readFileSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { CodedError } from "../../base/index.ts";
import { STORE_DIRECTORY } from "../../store/index.ts";
import { readNames } from "../files/index.ts";
import { defaultStoreRoot, makeLayout, type StoreLayout } from "./layout.ts";
import { overlayAt } from "./overlay-mount.ts";
import { checkParameters, neededParameter, parseStoreUrl, type StoreUrl, switchParameter } from "./store-url.ts";

/** Parameters of every store of this machine. The last ones tell others how to use it, and change nothing about where it is. */
const LOCAL_PARAMETERS = ["root", "real", "state", "log", "store", "read-only"] as const;
const OTHER_PARAMETERS = ["trusted", "priority", "want-mass-query", "path-info-cache-size", "require-sigs"];
/** `remount-hook` is there for addresses of Nix: what would need a new mount is never done. */
const OVERLAY_PARAMETERS = ["lower-store", "upper-layer", "check-mount", "remount-hook"];

export interface LayoutOptions {
  /** Relative directories begin here. Default the current one. */
  readonly cwd?: string | undefined;
}

/**
 * Where the parts of a store of this machine lie.
 *
 * @param place A directory (that of a chroot store, or `/`), the address of a local store, or either of them read already. Default
 *   {@link defaultStoreRoot}.
 *
 * Shape of addresses: `auto`, `local`, `local-overlay://` or a directory, each with `?name=value&…`. `root`, `real`, `state` and `log`
 * are directories; `read-only=true` says that nobody changes the store as long as it is open. An overlay store also needs
 * `lower-store`, the address of another store of this machine, and `upper-layer`, a directory; with `check-mount=true` it has to be
 * mounted, with `check-mount=false` it counts as mounted.
 *
 * @throws {CodedError} `store-url.malformed`, `store-url.not-local`, `store-url.unknown-parameter`, `store.overlay-mismatch`,
 *   `store.overlay-not-mounted`
 *
 * Source: Nix manual, "Local Store", "Experimental Local Overlay Store".
 */
export function layoutOf(
  place: string | StoreUrl | StoreLayout = defaultStoreRoot(),
  options: LayoutOptions = {},
): StoreLayout {
  if (typeof place !== "string" && "root" in place) return place;
  if (typeof place === "string" && !isAddress(place)) return makeLayout(resolve(options.cwd ?? process.cwd(), place));
  const url = typeof place === "string" ? parseStoreUrl(place) : place;
  if (url.scheme === "local-overlay") return overlayLayout(url, options);
  if (url.scheme === "local" || url.scheme === "auto") return localLayout(url, options);
  throw new CodedError(
    "store-url.not-local",
    `Cannot use ${JSON.stringify(url.address)} as a store of this machine: it is one behind a connection`,
    {
      hint: "Name its directory: `local` for that at /nix/store, `local?root=DIR`, `local-overlay://?…`; a daemon's store can be read there as well.",
    },
  );
}

/** Whether a text is an address; a directory may have nearly any name. */
function isAddress(text: string): boolean {
  return /^(auto|local|local-overlay|daemon)(\?|$)|^[a-z][a-z0-9+.-]*:\/\/|\?[a-z-]+=/.test(text);
}

function localLayout(url: StoreUrl, options: LayoutOptions): StoreLayout {
  checkParameters(url, [...LOCAL_PARAMETERS, ...OTHER_PARAMETERS]);
  const layout = withDirectories(url, options);
  return { ...layout, address: addressOf("local", layout) };
}

function overlayLayout(url: StoreUrl, options: LayoutOptions): StoreLayout {
  checkParameters(url, [...LOCAL_PARAMETERS, ...OVERLAY_PARAMETERS, ...OTHER_PARAMETERS]);
  const layout = withDirectories(url, options);
  const lower = layoutOf(neededParameter(url, "lower-store"), options);
  const ownDirectory = directory(neededParameter(url, "upper-layer"), options);
  for (const theirs of layerDirectories(lower)) {
    if (ownDirectory !== theirs && lower.stateDirectory !== layout.stateDirectory) continue;
    throw new CodedError(
      "store-url.malformed",
      `Cannot open the overlay store at "${layout.root}": its lower store "${lower.address}" is itself`,
      { hint: "Give it a `root` and an `upper-layer` of its own." },
    );
  }
  const mustBeMounted = switchParameter(url, "check-mount");
  const isMounted = mustBeMounted === false || isOverlayMounted(layout, lower, ownDirectory);
  if (!isMounted) checkUnmounted(layout, lower, ownDirectory, mustBeMounted === true);
  const whole: StoreLayout = {
    ...layout,
    realStoreDirectory: isMounted ? layout.realStoreDirectory : ownDirectory,
    ownDirectory,
    lower,
  };
  const more = {
    "lower-store": lower.address,
    "upper-layer": ownDirectory,
    "check-mount": url.parameters.get("check-mount"),
  };
  return { ...whole, address: addressOf("local-overlay://", layout, more) };
}

/** What every address of a store of this machine may say. */
function withDirectories(url: StoreUrl, options: LayoutOptions): StoreLayout {
  const { parameters } = url;
  const logical = parameters.get("store") ?? STORE_DIRECTORY;
  if (logical !== STORE_DIRECTORY) {
    throw new CodedError(
      "store-url.malformed",
      `Cannot open the store ${JSON.stringify(url.address)}: its names begin with "${logical}", expected "${STORE_DIRECTORY}"`,
      { hint: "`root` or `real` say where the objects lie; what they are called is part of them." },
    );
  }
  const given = (name: string): string | undefined => {
    const text = parameters.get(name);
    return text === undefined ? undefined : directory(text, options);
  };
  const layout = makeLayout(given("root") ?? rootInAddress(url) ?? defaultStoreRoot());
  const realStoreDirectory = given("real") ?? layout.realStoreDirectory;
  return {
    ...layout,
    realStoreDirectory,
    ownDirectory: realStoreDirectory,
    stateDirectory: given("state") ?? layout.stateDirectory,
    logDirectory: given("log") ?? layout.logDirectory,
    immutable: switchParameter(url, "read-only") ?? false,
  };
}

/** Newer versions of Nix write the root of `local:///srv/root` there. */
function rootInAddress({ address }: StoreUrl): string | undefined {
  const [, root] = /^[a-z-]+:\/\/(\/.*)$/.exec(address) ?? [];
  return root === "/" ? undefined : root;
}

function directory(text: string, { cwd = process.cwd() }: LayoutOptions): string {
  return resolve(cwd, text.replace(/^~(?=\/|$)/, homedir()));
}

/** An address that means the same store from everywhere; the directory alone where that says all. */
function addressOf(
  scheme: string,
  layout: StoreLayout,
  more: Readonly<Record<string, string | undefined>> = {},
): string {
  const plain = makeLayout(layout.root);
  const parameters = Object.entries({
    root: layout.root,
    real: layout.realStoreDirectory === plain.realStoreDirectory ? undefined : layout.realStoreDirectory,
    state: layout.stateDirectory === plain.stateDirectory ? undefined : layout.stateDirectory,
    log: layout.logDirectory === plain.logDirectory ? undefined : layout.logDirectory,
    "read-only": layout.immutable ? "true" : undefined,
    ...more,
  }).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`]));
  if (scheme === "local" && parameters.every((each) => each.startsWith("root="))) return plain.address;
  return `${scheme}?${parameters.join("&")}`;
}

/** The directories that hold the objects of a store, the uppermost first. */
export function layerDirectories({ realStoreDirectory, ownDirectory, lower }: StoreLayout): string[] {
  const isLayered = lower !== undefined && realStoreDirectory === ownDirectory;
  return isLayered ? [ownDirectory, ...layerDirectories(lower)] : [realStoreDirectory];
}

/** Whether the layers are mounted where the store is. @throws {CodedError} `store.overlay-mismatch` when others are */
function isOverlayMounted({ realStoreDirectory }: StoreLayout, lower: StoreLayout, ownDirectory: string): boolean {
  const mount = overlayAt(readFileSync("/proc/self/mounts", "utf8"), placeOf(realStoreDirectory));
  if (mount === undefined) return false;
  const found = [mount.upperDirectory ?? "", ...mount.lowerDirectories].map(placeOf);
  const expected = [ownDirectory, ...layerDirectories(lower)].map(placeOf);
  if (found.join("\n") === expected.join("\n")) return true;
  throw new CodedError(
    "store.overlay-mismatch",
    `Cannot open the overlay store at "${realStoreDirectory}": its mount joins ${quoted(found)}, expected ${quoted(expected)}`,
    {
      hint: "Mount it anew, or let `upper-layer` and `lower-store` say what is mounted; the upper layer stands first.",
    },
  );
}

/** Without a mount the layers are looked at one by one; what lies in the place of the mount would be of no layer. */
function checkUnmounted(
  { realStoreDirectory }: StoreLayout,
  lower: StoreLayout,
  ownDirectory: string,
  mustBeMounted: boolean,
): void {
  const names = existsSync(realStoreDirectory) ? readNames(realStoreDirectory) : [];
  if (!mustBeMounted && (names.length === 0 || placeOf(realStoreDirectory) === placeOf(ownDirectory))) return;
  const work = join(ownDirectory, "../work");
  throw new CodedError(
    "store.overlay-not-mounted",
    mustBeMounted
      ? `Cannot open the overlay store at "${realStoreDirectory}": no overlay is mounted there`
      : `Cannot open the overlay store at "${realStoreDirectory}": found files there that are of no layer, and no overlay`,
    {
      hint: `\`mount -t overlay overlay -o lowerdir=${layerDirectories(lower).join(":")},upperdir=${ownDirectory},workdir=${work} ${realStoreDirectory}\` mounts it.`,
    },
  );
}

/** Where a path leads; the path itself when that is nowhere. */
function placeOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function quoted(paths: readonly string[]): string {
  return paths.map((path) => `"${path}"`).join(", ");
}

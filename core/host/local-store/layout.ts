import { accessSync, constants, existsSync, mkdirSync, symlinkSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { CodedError } from "../../base/index.ts";
import { STORE_DIRECTORY } from "../../store/index.ts";

/** Where the parts of a local store lie on the host. */
export interface StoreLayout {
  /** `/`, or the folder of a chroot store. */
  readonly root: string;
  readonly realStoreDirectory: string;
  readonly stateDirectory: string;
  readonly logDirectory: string;
  /** Where the entries of this store alone are listed: its store directory, or the upper layer of an overlay that is mounted there. */
  readonly ownDirectory: string;
  /** Nobody changes it while it is open: an image, a copy, a read-only mount. Nothing is written, locked or waited for. */
  readonly immutable: boolean;
  /** A store whose objects are valid here as well, and which is never changed. */
  readonly lower?: StoreLayout | undefined;
  /** What a command is told to use this very store. */
  readonly address: string;
}

const STATE_DIRECTORY = "/nix/var/nix";
const LOG_DIRECTORY = "/nix/var/log/nix";

export function makeLayout(root: string): StoreLayout {
  const absolute = resolve(root);
  const inside = (path: string): string => (absolute === "/" ? path : absolute + path);
  return {
    root: absolute,
    realStoreDirectory: inside(STORE_DIRECTORY),
    stateDirectory: inside(STATE_DIRECTORY),
    logDirectory: inside(LOG_DIRECTORY),
    ownDirectory: inside(STORE_DIRECTORY),
    immutable: false,
    address: absolute,
  };
}

/** Make the folders of a store that are not there yet. @throws {CodedError} `store.not-writable`, `store.read-only` */
export function makeDirectories(layout: StoreLayout): void {
  checkMutable(layout);
  const { root, realStoreDirectory, stateDirectory } = layout;
  try {
    for (const directory of [
      realStoreDirectory,
      ...["db", "temproots", "gcroots/auto", "profiles"].map((d) => join(stateDirectory, d)),
    ]) {
      mkdirSync(directory, { recursive: true, mode: 0o755 });
    }
    const profiles = join(stateDirectory, "gcroots/profiles");
    if (!existsSync(profiles)) symlinkSync(join(stateDirectory, "profiles"), profiles);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    // Another process made the link first.
    if (code === "EEXIST") return;
    throw new CodedError("store.not-writable", `Cannot write to the store at "${root}": ${(cause as Error).message}`, {
      hint: "Name a store of your own with --store DIRECTORY.",
      cause,
    });
  }
}

/** @throws {CodedError} `store.read-only` for a store that was opened as one that nobody changes */
export function checkMutable({ immutable, address }: StoreLayout): void {
  if (!immutable) return;
  throw new CodedError("store.read-only", `Cannot write to the store "${address}": it was opened with read-only=true`, {
    hint: "Leave `read-only` away where it can be written, or put a store of your own over it: `local-overlay://?root=DIR&upper-layer=DIR&lower-store=…`.",
  });
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Writable, or not there and could be made. */
function canWrite(path: string): boolean {
  let nearest = path;
  while (!existsSync(nearest)) nearest = dirname(nearest);
  return isWritable(nearest);
}

/** Whether we may write to a store, or make it. */
export function isStoreWritable({ immutable, realStoreDirectory, stateDirectory }: StoreLayout): boolean {
  return !immutable && canWrite(realStoreDirectory) && canWrite(join(stateDirectory, "db"));
}

/**
 * The store an ordinary command uses: the machine's own when we may write to it (or make it), else one of the user's, whose
 * objects are seen as `/nix/store` inside the sandbox.
 */
export function defaultStoreRoot(): string {
  if (isStoreWritable(makeLayout("/"))) return "/";
  return join(homedir(), ".local/share/floe/root");
}

import { lstatSync, readdirSync, readlinkSync } from "node:fs";
import type { LocalStore } from "../../core/host/local-store/index.ts";
import { STORE_DIRECTORY, type StorePath } from "../../core/store/index.ts";

/**
 * The command that runs a program where a store is `/nix/store`; nothing for one that lies there.
 *
 * Programs name their libraries by `/nix/store/…`. bubblewrap makes a root directory with everything of the machine's
 * own one, but with the `/nix` of that store; no privileges are needed. Where the objects lie in several directories, those that the
 * program needs are put there one by one.
 *
 * @param paths The objects the program is in.
 */
export function enterStore(store: LocalStore, paths: readonly StorePath[]): string[] {
  const { root, realStoreDirectory, stateDirectory } = store.layout;
  if (realStoreDirectory === STORE_DIRECTORY && store.objectDirectories.length === 1) return [];
  const entries = readdirSync("/").filter((name) => name !== "nix");
  const binds = entries.flatMap((name) => bind(`/${name}`, `/${name}`, "--dev-bind-try"));
  const isWhole = realStoreDirectory === `${root}${STORE_DIRECTORY}` && store.objectDirectories.length === 1;
  const nix = isWhole
    ? ["--bind", `${root}/nix`, "/nix"]
    : [
        ...["--bind-try", stateDirectory, "/nix/var/nix"],
        ...store.closure(paths).flatMap((each) => bind(store.realPath(each), each, "--ro-bind")),
      ];
  return ["bwrap", ...binds, ...nix, "--die-with-parent", "--"];
}

/** Links are copied, since a mount would show what they lead to. */
function bind(from: string, to: string, word: string): string[] {
  if (lstatSync(from).isSymbolicLink()) return ["--symlink", readlinkSync(from), to];
  return [word, from, to];
}

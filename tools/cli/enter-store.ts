import { lstatSync, readdirSync, readlinkSync } from "node:fs";

/**
 * The command that runs a program where a store below `root` is `/nix/store`; nothing for the machine's own store.
 *
 * Programs name their libraries by `/nix/store/…`. bubblewrap makes a root directory with everything of the machine's
 * own one, but with the `/nix` of that store; no privileges are needed.
 */
export function enterStore(root: string): string[] {
  if (root === "/") return [];
  const entries = readdirSync("/").filter((name) => name !== "nix");
  const binds = entries.flatMap((name) => {
    const path = `/${name}`;
    if (lstatSync(path).isSymbolicLink()) return ["--symlink", readlinkSync(path), path];
    return ["--dev-bind-try", path, path];
  });
  return ["bwrap", ...binds, "--bind", `${root}/nix`, "/nix", "--die-with-parent", "--"];
}

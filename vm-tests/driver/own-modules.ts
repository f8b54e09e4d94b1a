import { registerHooks } from "node:module";

/** Where the running Floe lies. */
const ROOT = new URL("../../", import.meta.url);

/**
 * Where the running Floe has what `#floe/…` and `qemu-wrapper` name, as a URL; `undefined` for what is not Floe's own.
 *
 * `#floe/vm-test` is `story.ts` here: who runs a story wants its script, and not all that describes its machines.
 */
export function resolveOwn(specifier: string, root = ROOT): string | undefined {
  if (specifier === "qemu-wrapper") return new URL("vm-tests/qemu-wrapper/index.ts", root).href;
  if (!specifier.startsWith("#floe/")) return undefined;
  const name = specifier.slice("#floe/".length);
  return new URL(name === "vm-test" ? "vm-tests/story.ts" : `core/${name}/index.ts`, root).href;
}

/** What follows the address of a file that is imported once more, though it was imported before. */
const EDITION = /\?floe=\w+$/;

/** The address of a file in an edition of its own: what it imports from beside it is imported once more, too. */
export function editionOf(url: string, edition: string | undefined): string {
  return edition === undefined ? url : `${url}?floe=${edition}`;
}

/** The file of an address or a place in a stack, whatever edition it is. */
export function withoutEdition(file: string): string {
  return file.replace(EDITION, "");
}

let used = false;

/**
 * From now on these names mean the running Floe in every file that is imported, as they do in an evaluation: Node alone would look for them in
 * the package of the file, which a flake elsewhere need not have.
 */
export function useOwnModules(): void {
  if (used) return;
  used = true;
  registerHooks({
    resolve: (specifier, context, next) => {
      const own = resolveOwn(specifier);
      const found = next(own ?? specifier, context);
      const [edition] = EDITION.exec(context.parentURL ?? "") ?? [];
      if (own !== undefined || edition === undefined || !found.url.startsWith("file:")) return found;
      return { ...found, url: `${withoutEdition(found.url)}${edition}` };
    },
  });
}

import { registerHooks } from "node:module";

/** Where the running Floe lies. */
const ROOT = new URL("../../", import.meta.url);

/**
 * Where the running Floe has what `#floe/…` and `qemu-wrapper` name, as a URL; `undefined` for what is not Floe's own.
 *
 * `#floe/vm-test` is `story.ts` here: who runs a story wants its script, and not all that describes its machines.
 */
export function resolveOwn(specifier: string): string | undefined {
  if (specifier === "qemu-wrapper") return new URL("vm-tests/qemu-wrapper/index.ts", ROOT).href;
  if (!specifier.startsWith("#floe/")) return undefined;
  const name = specifier.slice("#floe/".length);
  return new URL(name === "vm-test" ? "vm-tests/story.ts" : `core/${name}/index.ts`, ROOT).href;
}

let used = false;

/**
 * From now on these names mean the running Floe in every file that is imported, as they do in an evaluation: Node alone would look for them in
 * the package of the file, which a flake elsewhere need not have.
 */
export function useOwnModules(): void {
  if (used) return;
  used = true;
  registerHooks({ resolve: (specifier, context, next) => next(resolveOwn(specifier) ?? specifier, context) });
}

import { readFile } from "node:fs/promises";
import { build, type Plugin } from "esbuild";
import { replaceBuiltinImports } from "./bundle-builtins.ts";

/**
 * Nothing happens when a module of Node is loaded, so what is not used need not be: without this, a command that wants one error class of core/base
 * would load Node's cryptography. The same of the files of core is said in `package.json`: of a file that a plugin finds, esbuild no longer knows that it is
 * a module as Node has it, and gives it another default export of a CommonJS library.
 */
export const nothingHappens: Plugin = {
  name: "nothing-happens",
  setup(builder) {
    builder.onResolve({ filter: /^node:/ }, ({ path }) => ({ path, external: true, sideEffects: false }));
  },
};

/** Node's own modules are asked for late. */
const lateBuiltins: Plugin = {
  name: "late-builtins",
  setup(builder) {
    builder.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      return { contents: path.includes("/node_modules/") ? text : replaceBuiltinImports(text), loader: "ts" };
    });
  },
};

/**
 * Write programs of tests to a folder, `<name>.mjs` each, so that they start as quickly as `floe` does: tests start them hundreds of
 * times. What they find beside their own file (`import.meta`) they do not find there.
 */
export async function bundlePrograms(entryPoints: readonly string[], outdir: string): Promise<void> {
  await build({
    entryPoints: [...entryPoints],
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node24",
    // CommonJS libraries ask for Node's own modules through `require`, and for nothing else.
    banner: { js: "const require = process.getBuiltinModule;" },
    plugins: [nothingHappens, lateBuiltins],
    logLevel: "error",
  });
}

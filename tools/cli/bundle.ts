/**
 * Write what `floe` runs from into `dist`: `floe.cjs`, which starts the program; the program as one script with its code compiled; the
 * process of an evaluation, and the engine as it loads it (`bundle-engine.ts`).
 *
 * Every file keeps its own `import.meta.url`, `filename` and `dirname`, so code finds its neighbours (the evaluator's
 * entry, data files) whether it runs bundled or not.
 */
import { spawnSync } from "node:child_process";
import { mkdir, readdir, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { build, type BuildOptions, type Plugin } from "esbuild";
import { replaceBuiltinImports } from "./bundle-builtins.ts";
import { bundleEngineImage, bundleStripper, compileEngineImage, stripEngineModules } from "./bundle-engine.ts";
import { nothingHappens } from "./bundle-program.ts";
import { codeFile, NODE_FLAGS, PROGRAM_NAME } from "./program-script.ts";
import { INPUTS_NAME } from "./stale.ts";

const ROOT = join(import.meta.dirname, "../..");
const DIST = join(ROOT, "dist");
const ENTRY = join(DIST, "floe.cjs");
const PROGRAM = join(DIST, PROGRAM_NAME);

/** What `import.meta` says in a source; `__root` is the folder of the checkout. */
const ownSources: Plugin = {
  name: "own-sources",
  setup(builder) {
    builder.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      if (path.includes("/node_modules/")) return { contents: text, loader: "ts" };
      const places: Readonly<Record<string, string>> = { url: path, filename: path, dirname: dirname(path) };
      const contents = replaceBuiltinImports(text).replace(
        /import\.meta\.(url|filename|dirname)\b/g,
        (_, what: string) => {
          const place = `__root + ${JSON.stringify((places[what] as string).slice(ROOT.length))}`;
          return what === "url" ? `("file://" + encodeURI(${place}))` : `(${place})`;
        },
      );
      return { contents, loader: "ts" };
    });
  },
};

const started = new Date();
// Not ES modules, because the part of Node that loads those takes time to start.
const settings = {
  absWorkingDir: ROOT,
  bundle: true,
  format: "cjs",
  platform: "node",
  target: "node24",
  write: false,
  metafile: true,
  legalComments: "none",
  plugins: [nothingHappens, ownSources],
} satisfies BuildOptions;

const ROOT_OF_DIST = 'const __root = require("node:path").dirname(__dirname);';
const program = await build({ ...settings, entryPoints: [join(ROOT, "tools/cli/run-floe.ts")] });
const entry = await build({
  ...settings,
  entryPoints: [join(ROOT, "tools/cli/start-bundle.ts")],
  banner: { js: ROOT_OF_DIST },
});
// Without it, Node would strip the types of its sources each time.
const evaluator = await build({
  ...settings,
  entryPoints: [join(ROOT, "core/host/evaluator/child/main.ts")],
  banner: { js: ROOT_OF_DIST },
});
const textOf = ({ outputFiles }: typeof program): string => outputFiles[0]?.text ?? "";

await mkdir(DIST, { recursive: true });
await writeFile(join(DIST, "evaluator.cjs"), textOf(evaluator));
const engine = await bundleEngineImage(ROOT);
await bundleStripper(ROOT);
await stripEngineModules(ROOT);
await compileEngineImage(ROOT);
await replaceFile(PROGRAM, asScript(textOf(program)));
await rm(codeFile(PROGRAM), { force: true });
compileProgram();
const inputs = [...[program, entry, evaluator].flatMap(({ metafile }) => Object.keys(metafile.inputs)), ...engine];
const ours = [...new Set(inputs)].filter((file) => !file.startsWith("node_modules/")).sort();
await writeFile(join(DIST, INPUTS_NAME), `${ours.join("\n")}\n`);
// The entry comes last and at once; it is as old as the sources it was made from, so a later edit is seen as newer.
await writeFile(`${ENTRY}.new`, textOf(entry));
await utimes(`${ENTRY}.new`, started, started);
await rename(`${ENTRY}.new`, ENTRY);
// Of earlier kinds of bundles.
for (const name of await readdir(DIST)) if (/^chunk-|\.mjs$|^engine-modules/.test(name)) await rm(join(DIST, name));

/**
 * A function of what a module of Node's older kind finds. All of it ASCII, so that it is read without being decoded: what is not
 * stands in strings and regular expressions, where its number does as well.
 */
function asScript(text: string): string {
  const ascii = text.replace(/[^\x00-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return `(function (require, __root, module, exports) {${ascii}\n})`;
}

/** Without it the program starts slower; it is no reason to have none. */
function compileProgram(): void {
  const args = [...NODE_FLAGS, join(import.meta.dirname, "compile-program.ts"), PROGRAM, ROOT];
  const { status, stderr } = spawnSync(process.execPath, args, {
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
  });
  if (status !== 0) console.error(`The program could not be compiled beforehand, so it starts slower: ${stderr}`);
}

async function replaceFile(path: string, contents: string): Promise<void> {
  await writeFile(`${path}.new`, contents);
  await rename(`${path}.new`, path);
}

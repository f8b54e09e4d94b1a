/**
 * Write dist/floe.mjs: the program as one entry with a chunk per lazily loaded command.
 *
 * Beside it: the process of an evaluation, and the engine's modules without their types, which evaluations load as text.
 *
 * Every file keeps its own `import.meta.url`, `filename` and `dirname`, so code finds its neighbours (the evaluator's
 * entry, data files) whether it runs bundled or not.
 */
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { build, type BuildOptions, type Metafile, type Plugin } from "esbuild";
import { replaceBuiltinImports } from "./bundle-builtins.ts";
import { bundleEngineImage, bundleStripper, compileEngineImage } from "./bundle-engine.ts";
import { nothingHappens } from "./bundle-program.ts";
import { INPUTS_NAME } from "./stale.ts";

const ROOT = join(import.meta.dirname, "../..");
const DIST = join(ROOT, "dist");
const ENTRY = join(DIST, "floe.mjs");

/** Chunks of earlier bundles stay this long: a program that runs now may still load one of them. */
const OLD_CHUNK_MS = 24 * 60 * 60 * 1000;

const ownSources: Plugin = {
  name: "own-sources",
  setup(builder) {
    builder.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      if (path.includes("/node_modules/")) return { contents: text, loader: "ts" };
      const source = `${replaceBuiltinImports(text)}${needCommon.has(path) ? IMPORT_COMMON : ""}`;
      if (!source.includes("import.meta.")) return { contents: source, loader: "ts" };
      const here = (place: string) => `new URL(${JSON.stringify(`../${relative(ROOT, place)}`)}, import.meta.url)`;
      const contents = source.replace(/import\.meta\.(url|filename|dirname)\b/g, (_, what: string) => {
        if (what === "url") return `${here(path)}.href`;
        return `__fileURLToPath(${here(what === "filename" ? path : dirname(path))})`;
      });
      const start = `const { fileURLToPath: __fileURLToPath } = process.getBuiltinModule("node:url");`;
      return { contents: `${start} ${contents}`, loader: "ts" };
    });
  },
};

/**
 * Files that most commands load, imported by every lazily loaded file that needs one of them: files with the same
 * importers share a chunk, and one chunk loads much faster than thirty.
 */
const COMMON = ["tools/cli/commands/build/build.ts", "tools/cli/resolve-attribute.ts"];
const IMPORT_COMMON = COMMON.map((file) => `\nimport ${JSON.stringify(join(ROOT, file))};`).join("");
const needCommon = new Set<string>();

const started = new Date();
const settings = {
  absWorkingDir: ROOT,
  entryPoints: [{ in: join(ROOT, "tools/cli/start.ts"), out: "floe" }],
  outdir: DIST,
  outExtension: { ".js": ".mjs" },
  chunkNames: "chunk-[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node24",
  write: false,
  legalComments: "none",
  // CommonJS libraries inside the bundle ask for Node's own modules through `require`, and for nothing else.
  banner: { js: "const require = process.getBuiltinModule;" },
  plugins: [nothingHappens, ownSources],
} satisfies BuildOptions;

const { metafile } = await build({ ...settings, metafile: true });
for (const file of findLazy(metafile.inputs)) needCommon.add(join(ROOT, file));
const result = await build(settings);
// The process of an evaluation: without it, Node would strip the types of its sources each time. Not an ES module, because the part
// of Node that loads those takes time to start.
const evaluator = await build({
  ...settings,
  outExtension: { ".js": ".cjs" },
  format: "cjs",
  splitting: false,
  define: { "import.meta.url": "__here" },
  banner: { js: "const __here = `file://${encodeURI(__filename)}`;" },
  plugins: [nothingHappens, ownSources],
  metafile: true,
  entryPoints: [{ in: join(ROOT, "core/host/evaluator/child/main.ts"), out: "evaluator" }],
});

await mkdir(DIST, { recursive: true });
const current = new Set<string>();
for (const file of [...result.outputFiles, ...evaluator.outputFiles]) {
  current.add(file.path);
  if (file.path !== ENTRY) await writeFile(file.path, file.contents);
}
const engine = await bundleEngineImage(ROOT);
await bundleStripper(ROOT);
await compileEngineImage(ROOT);
const inputs = [...[metafile, evaluator.metafile].flatMap((each) => Object.keys(each.inputs)), ...engine];
const ours = [...new Set(inputs)].filter((file) => !file.startsWith("node_modules/")).sort();
await writeFile(join(DIST, INPUTS_NAME), `${ours.join("\n")}\n`);
// The entry comes last and at once; it is as old as the sources it was made from, so a later edit is seen as newer.
const entry = result.outputFiles.find((file) => file.path === ENTRY);
if (entry === undefined) throw new Error("esbuild gave no entry");
await writeFile(`${ENTRY}.new`, entry.contents);
await utimes(`${ENTRY}.new`, started, started);
await rename(`${ENTRY}.new`, ENTRY);
for (const name of await readdir(DIST)) {
  const path = join(DIST, name);
  if (current.has(path) || !name.startsWith("chunk-")) continue;
  if (started.getTime() - (await stat(path)).mtimeMs > OLD_CHUNK_MS) await rm(path);
}

/** Lazily loaded files that need one of the common files besides those the start of the program loads. */
function findLazy(inputs: Metafile["inputs"]): string[] {
  const importsOf = (file: string, kind: string): string[] =>
    (inputs[file]?.imports ?? []).filter((each) => each.kind === kind && !each.external).map(({ path }) => path);
  const loaded = (start: string): Set<string> => {
    const all = new Set([start]);
    for (const file of all) for (const each of importsOf(file, "import-statement")) all.add(each);
    return all;
  };
  const lazy = new Set(Object.keys(inputs).flatMap((file) => importsOf(file, "dynamic-import")));
  const common = new Set(COMMON.flatMap((file) => [...loaded(file)]));
  const early = loaded("tools/cli/main.ts");
  return [...lazy].filter(
    (file) => !early.has(file) && [...loaded(file)].some((each) => common.has(each) && !early.has(each)),
  );
}

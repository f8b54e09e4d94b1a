/**
 * What evaluations load of the engine, written into `dist`: its parts as one script, that script as this Node compiled it, and the
 * library that takes types away. Only files that evaluations read are made here; see `core/host/evaluator/README.md`.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, rename, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { build, type Plugin } from "esbuild";
import { bundleFiles, makeStripTypes, warmUp } from "../../core/host/evaluator/index.ts";

const INSIDE = "core/host/evaluator/inside";

/**
 * Write the script.
 *
 * @param root The folder of the engine.
 * @returns Sources it was made from, relative to the folder.
 */
export async function bundleEngineImage(root: string): Promise<string[]> {
  const names = (await readdir(join(root, "core"))).filter((name) => existsSync(join(root, "core", name, "index.ts")));
  const entry = [
    // First: the others shall find the realm as it leaves it.
    `import "./${INSIDE}/prelude.ts";`,
    `export * as agent from "./${INSIDE}/agent.ts";`,
    ...names.sort().map((name) => `export * as ${name} from "./core/${name}/index.ts";`),
  ].join("\n");
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    stdin: { contents: entry, resolveDir: root, loader: "ts", sourcefile: "engine-image.ts" },
    bundle: true,
    format: "iife",
    globalName: "made",
    target: "node24",
    write: false,
    metafile: true,
    legalComments: "none",
    plugins: [insideOnly(root)],
  });
  const text = outputFiles[0]?.text ?? "";
  await replaceFile(bundleFiles(root).image, `(host, place) => {\n${text}\n${RENAME}\nreturn made;\n}`);
  return Object.keys(metafile.inputs).filter((file) => existsSync(join(root, file)));
}

/** Where two modules have one name for a function, one of them gets a number; what configuration gets keeps its own. */
const RENAME = `for (const part of Object.values(made)) {
  for (const [name, value] of Object.entries(part)) {
    if (typeof value !== "function" || value.name === name || !value.name.startsWith(name)) continue;
    if (/^\\d+$/.test(value.name.slice(name.length))) Object.defineProperty(value, "name", { value: name });
  }
}`;

/** The modules of the border as arguments of the script, and places of modules as those of the mount. */
const insideOnly = (root: string): Plugin => ({
  name: "inside-only",
  setup(builder) {
    builder.onResolve({ filter: /^floe:host$/ }, ({ path }) => ({ path, namespace: "border" }));
    builder.onLoad({ filter: /./, namespace: "border" }, async () => {
      const declared = await readFile(join(root, INSIDE, "host-calls.d.ts"), "utf8");
      const calls = [...declared.matchAll(/^ {2}export function (\w+)/gm)].map(([, name]) => name);
      return { contents: `export const { ${calls.join(", ")} } = host;` };
    });
    builder.onResolve({ filter: /^node:(?:crypto|module)$/ }, ({ path }) => ({
      path: join(root, INSIDE, `${path.slice("node:".length)}.ts`),
    }));
    builder.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      const own = JSON.stringify(path.slice(root.length));
      return { contents: text.replaceAll("import.meta.url", `(place + ${own})`), loader: "ts" };
    });
  },
});

/** Write the script as compiled: all functions that an evaluation of our own system calls. The bundle is to be there already. */
export async function compileEngineImage(root: string): Promise<void> {
  const { program, args, input } = warmUp(root);
  const { stdout, stderr, status } = spawnSync(program, args, {
    input,
    stdio: ["pipe", "pipe", "pipe", "ignore"],
    env: { TZ: "UTC" },
    maxBuffer: 1024 ** 3,
  });
  const [, , answer = "", code = ""] = stdout.toString("utf8").split("\n", 4);
  if (status !== 0 || code === "") throw new Error(`The evaluation ended with ${status}: ${stderr}`);
  if (!answer.startsWith('{"answer":{"kind":"value"'))
    throw new Error(`The evaluation failed: ${answer.slice(0, 1000)}`);
  await replaceFile(bundleFiles(root).imageCode, Buffer.from(code, "base64"));
}

/** The text in which the library has its code for the machine. */
const WASM = /Buffer2\.from\("([A-Za-z0-9+/=]+)", "base64"\)/;

/** Write the library beside its own machine code: to find that in a text takes most of the time that loading takes. */
export async function bundleStripper(root: string): Promise<void> {
  const library = createRequire(import.meta.url).resolve("amaro");
  const { version } = JSON.parse(await readFile(join(dirname(library), "../package.json"), "utf8")) as {
    version: string;
  };
  // Under another Node, which has another version, evaluations take what Node has.
  if (version !== process.versions["amaro"]) return;
  const text = await readFile(library, "utf8");
  const bytes = WASM.exec(text)?.[1];
  if (bytes === undefined) throw new Error(`"${library}" has no machine code where it is expected`);
  const { stripper } = bundleFiles(root);
  await replaceFile(`${stripper}.wasm`, Buffer.from(bytes, "base64"));
  await replaceFile(
    stripper,
    text.replace(WASM, () => 'require("node:fs").readFileSync(`${__filename}.wasm`)'),
  );
}

/** Files that `#floe/vm-test` leads to, and that no script has: each tells its place by its own file. */
const IN_EVALUATIONS =
  /^(?:modules|pkgs|vm-tests)\/(?!build-side\/|driver\/|qemu-wrapper\/)(?!.*(?:\.test|\.contract|\/testing[^/]*|\/generate|\/refresh-pins)\.ts$).*\.ts$/;

/** Write the engine's modules without their types, which no evaluation then has to take away. */
export async function stripEngineModules(root: string): Promise<void> {
  const stripTypes = makeStripTypes(root);
  const stripped: Record<string, string> = {};
  for (const folder of ["modules", "pkgs", "vm-tests"]) {
    for (const name of (await readdir(join(root, folder), { recursive: true })).sort()) {
      if (!IN_EVALUATIONS.test(`${folder}/${name}`)) continue;
      const bytes = await readFile(join(root, folder, name));
      stripped[createHash("sha256").update(bytes).digest("hex")] = stripTypes(bytes.toString("utf8"));
    }
  }
  await replaceFile(bundleFiles(root).stripped, JSON.stringify(stripped));
}

async function replaceFile(path: string, contents: string | Uint8Array): Promise<void> {
  await writeFile(`${path}.new`, contents);
  await rename(`${path}.new`, path);
}

/**
 * Make npm packages of the workspace packages that stand on their own, as Node takes them from anywhere: JavaScript
 * with types beside it, since Node strips no types in `node_modules`.
 *
 *     node tools/pack.ts [--to FOLDER]
 *
 * Prints the archives, which `npm install` takes in this order.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";

const ROOT = join(import.meta.dirname, "..");

/** Folders of the packages, dependencies first. */
const FOLDERS = ["vm-tests/qemu-wrapper", "vm-tests/driver"];

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly exports: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** Write the archives into a folder, which is made where it is missing, and answer their paths. */
export function packPackages(to: string): string[] {
  const work = mkdtempSync(join(tmpdir(), "floe-pack-"));
  mkdirSync(to, { recursive: true });
  try {
    return FOLDERS.map((folder) => {
      const made = join(work, folder.replaceAll("/", "-"));
      makePackage(folder, made);
      const name = run("npm", ["pack", "--silent", "--pack-destination", resolve(to)], made).trim();
      return join(to, name);
    });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function makePackage(folder: string, made: string): void {
  const manifest = readManifest(join(ROOT, folder));
  compile(join(ROOT, folder, manifest.exports), made);
  // What the code reads beside itself.
  for (const file of readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })) {
    const beside = join(ROOT, folder, file);
    if (/\.(css|html)$/.test(file) || dirname(file).endsWith("page")) cpSync(beside, join(made, folder, file));
  }
  cpSync(join(ROOT, folder, "README.md"), join(made, "README.md"));
  cpSync(join(ROOT, "LICENSE"), join(made, "LICENSE"));
  const entry = `./${join(folder, manifest.exports)}`;
  const packed = {
    ...manifest,
    private: undefined,
    exports: { types: entry.replace(/\.ts$/, ".d.ts"), default: entry.replace(/\.ts$/, ".js") },
    dependencies: dependenciesOf(made),
  };
  writeFileSync(join(made, "package.json"), `${JSON.stringify(packed, undefined, 2)}\n`);
}

/** The entry and all it imports, in the folders they have in the checkout. */
function compile(entry: string, outDir: string): void {
  // Beside nothing that is a source: what checks and tests read must not change meanwhile.
  const project = join(ROOT, `dist/tsconfig.pack-${process.pid}.json`);
  const compilerOptions = {
    noEmit: false,
    declaration: true,
    rewriteRelativeImportExtensions: true,
    rootDir: ROOT,
    outDir,
  };
  writeFileSync(project, JSON.stringify({ extends: "../tsconfig.json", compilerOptions, include: [], files: [entry] }));
  try {
    run(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", project], ROOT);
  } finally {
    rmSync(project);
  }
}

/** The packages that compiled code imports, in the versions that Floe has of them. */
function dependenciesOf(made: string): Record<string, string> {
  const versions = readManifest(ROOT).dependencies ?? {};
  const names = readdirSync(made, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".js"))
    .flatMap((file) => [...readFileSync(join(made, file), "utf8").matchAll(IMPORT)].map((match) => match[1] as string))
    .filter((name) => !isBuiltin(name))
    .map((name) => /^(@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name);
  return Object.fromEntries(
    [...new Set(names)].sort().map((name) => {
      const version = versions[name];
      if (version === undefined) throw new Error(`Cannot pack: "${name}" is imported, and package.json has no version`);
      return [name, version];
    }),
  );
}

/** Imports of packages, in what the compiler writes. */
const IMPORT = /^(?:import|export) (?:[^"']* from )?"([^".#][^"]*)";/gm;

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
}

function run(program: string, words: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(program, words, { cwd, encoding: "utf8" });
  if (status === 0) return stdout;
  throw new Error(`Cannot pack: ${program} ${words.join(" ")} failed: ${error?.message ?? `${stdout}${stderr}`}`);
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({ options: { to: { type: "string", default: join(ROOT, "dist/packages") } } });
  for (const archive of packPackages(values.to)) console.log(archive);
}

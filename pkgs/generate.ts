/**
 * Writes `by-name/index.gen.ts`: what the folders of `by-name` and `bootstrap` define, and the type of the set.
 *
 * With `--check` nothing is written, and the exit status says whether the file is current.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const PKGS = fileURLToPath(new URL(".", import.meta.url));
const TARGET = `${PKGS}by-name/index.gen.ts`;

interface Member {
  readonly name: string;
  /** Relative to `by-name`. */
  readonly file: string;
}

function folders(path: string): string[] {
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

function members(): Member[] {
  const byName = folders(`${PKGS}by-name`).flatMap((letters) =>
    folders(`${PKGS}by-name/${letters}`).map((name) => {
      if (letters !== name.slice(0, 2))
        throw new Error(`by-name/${letters}/${name} belongs in by-name/${name.slice(0, 2)}/${name}`);
      return { name, file: `./${letters}/${name}/package.ts` };
    }),
  );
  const bootstrap = folders(`${PKGS}bootstrap`).map((name) => ({ name, file: `../bootstrap/${name}/package.ts` }));
  return [...byName, ...bootstrap]
    .filter(({ file }) => existsSync(`${PKGS}by-name/${file}`))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function text(list: readonly Member[]): string {
  const key = (name: string): string => (/^[a-zA-Z_]\w*$/.test(name) ? name : `"${name}"`);
  return [
    "// Written by `node pkgs/generate.ts` from the folders' names.",
    'import { importLazily } from "#floe/flake";',
    'import type { Package, PackageDefinition } from "#floe/package";',
    "",
    "/** Every package of the set by name; its file is loaded once the package is asked for. */",
    "export const DEFINITIONS = importLazily<PackageDefinition>({",
    ...list.map(({ name, file }) => `  ${key(name)}: "${file}",`),
    "});",
    "",
    'declare module "#floe/package" {',
    "  interface Pkgs {",
    ...list.map(({ name }) => `    readonly ${key(name)}: Package;`),
    "  }",
    "}",
    "",
  ].join("\n");
}

const wanted = text(members());
const current = existsSync(TARGET) ? readFileSync(TARGET, "utf8") : "";
if (process.argv.includes("--check")) {
  if (current !== wanted) {
    console.error("pkgs/by-name/index.gen.ts is not current. Run: node pkgs/generate.ts");
    process.exitCode = 1;
  }
} else if (current !== wanted) writeFileSync(TARGET, wanted);

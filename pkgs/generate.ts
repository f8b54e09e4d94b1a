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

function identifier(name: string): string {
  return name
    .replace(/[^a-zA-Z0-9]+(.)?/g, (_, next: string | undefined) => (next ?? "").toUpperCase())
    .replace(/^(\d)/, "_$1");
}

function text(list: readonly Member[]): string {
  const key = (name: string): string => (/^[a-zA-Z_]\w*$/.test(name) ? name : `"${name}"`);
  const entry = (name: string): string => (key(name) === identifier(name) ? name : `${key(name)}: ${identifier(name)}`);
  return [
    "// Written by `node pkgs/generate.ts` from the folders' names.",
    'import type { Package, PackageDefinition } from "#floe/package";',
    ...list.map(({ name, file }) => `import ${identifier(name)} from "${file}";`),
    "",
    "/** Every package of the set by name. */",
    "export const DEFINITIONS: Readonly<Record<string, PackageDefinition>> = {",
    ...list.map(({ name }) => `  ${entry(name)},`),
    "};",
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

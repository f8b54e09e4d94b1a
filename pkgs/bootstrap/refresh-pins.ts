/**
 * Looks up the pinned files in the archive's present indexes, and writes the pin files anew: names and suites stay,
 * versions, paths and hashes follow the archive.
 *
 *     node pkgs/bootstrap/refresh-pins.ts [--mirror URL] [--check]
 *
 * The mirror is the one the machine's own apt uses unless given. With `--check` nothing is written, and the exit status
 * says whether every pinned file is still in the archive. The difference is to be reviewed like code: the indexes are
 * taken as they come.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import type { SourcePin } from "../source-pin.ts";
import { SOURCES } from "../sources.ts";
import type { SeedPin } from "./pins.ts";
import { SEED_AARCH64 } from "./seed.aarch64.ts";
import { SEED_X86_64 } from "./seed.x86_64.ts";

const SEED_SUITE = "bookworm";

const { values: flags } = parseArgs({
  options: { mirror: { type: "string" }, check: { type: "boolean", default: false } },
});
const mirror = (flags.mirror ?? mirrorOfApt()).replace(/\/+$/, "");

/** A stanza of an index, by field name. */
type Stanza = ReadonlyMap<string, string>;

function mirrorOfApt(): string {
  const repositories = execFileSync("apt-get", ["indextargets", "--format", "$(REPO_URI)"], { encoding: "utf8" }).split(
    "\n",
  );
  const found = repositories.find((uri) => /\/debian\/?$/.test(uri));
  if (found === undefined) throw new Error("apt names no mirror of the Debian archive; give one with --mirror URL");
  return found;
}

async function readIndex(path: string): Promise<Map<string, Stanza>> {
  const response = await fetch(`${mirror}/dists/${path}.gz`);
  if (!response.ok) throw new Error(`Cannot read the index "${path}": the mirror answered ${response.status}`);
  const text = gunzipSync(Buffer.from(await response.arrayBuffer())).toString("utf8");
  const stanzas = text
    .split("\n\n")
    .map(
      (stanza) =>
        new Map(
          [...stanza.matchAll(/^([\w-]+):[ \t]*((?:.*)(?:\n[ \t].*)*)/gm)].map((m) => [m[1] as string, m[2] as string]),
        ),
    );
  return new Map(stanzas.map((stanza) => [stanza.get("Package") ?? "", stanza]));
}

function field(stanza: Stanza | undefined, name: string, owner: string): string {
  const value = stanza?.get(name);
  if (value === undefined)
    throw new Error(
      `Cannot pin "${owner}": the archive has no ${stanza === undefined ? "package" : `field ${name}`} of this name`,
    );
  return value;
}

const sri = (hex: string): string => `sha256-${Buffer.from(hex, "hex").toString("base64")}`;

function seedPin(packages: Map<string, Stanza>, { package: name }: SeedPin): SeedPin {
  const stanza = packages.get(name);
  return {
    package: name,
    version: field(stanza, "Version", name),
    path: field(stanza, "Filename", name),
    hash: sri(field(stanza, "SHA256", name)),
  };
}

function sourcePin(sources: Map<string, Stanza>, { source, suite }: SourcePin): SourcePin {
  const stanza = sources.get(source);
  const line = field(stanza, "Checksums-Sha256", source)
    .split("\n")
    .find((each) => /\.orig\.tar\.\w+$/.test(each));
  const [hex, , file] = line?.trim().split(/\s+/) ?? [];
  if (hex === undefined || file === undefined) throw new Error(`Cannot pin "${source}": it has no original archive`);
  const version = file
    .replace(/^[^_]*_/, "")
    .replace(/\.orig\..*$/, "")
    .replace(/^.*really/, "");
  return {
    source,
    suite,
    version,
    url: `mirror://debian/${field(stanza, "Directory", source)}/${file}`,
    hash: sri(hex),
  };
}

const literal = (pin: object): string =>
  `{ ${Object.entries(pin)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
    .join(", ")} }`;

/** Replaces the text between the first line that ends in `open` and the last one that is `close`. */
function rewrite(file: string, text: string, open: RegExp, close: string, body: string): string {
  const start = open.exec(text);
  if (start === null) throw new Error(`${file} has lost its shape`);
  return `${text.slice(0, start.index + start[0].length)}\n${body}\n${text.slice(text.lastIndexOf(`\n${close}`) + 1)}`;
}

const suites = [...new Set(Object.values(SOURCES).map(({ suite }) => suite))];
const [packages, packagesOfAarch64, ...sourceIndexes] = await Promise.all([
  readIndex(`${SEED_SUITE}/main/binary-amd64/Packages`),
  readIndex(`${SEED_SUITE}/main/binary-arm64/Packages`),
  ...suites.map((suite) => readIndex(`${suite}/main/source/Sources`)),
]);
const sourcesOf = new Map(suites.map((suite, i) => [suite as string, sourceIndexes[i] as Map<string, Stanza>]));

const seedBody = (seed: Readonly<Record<string, readonly SeedPin[]>>, index: Map<string, Stanza>): string =>
  Object.entries(seed)
    .map(
      ([group, pins]) => `  ${group}: [\n${pins.map((pin) => `    ${literal(seedPin(index, pin))},\n`).join("")}  ],`,
    )
    .join("\n");
const sourceBody = Object.entries(SOURCES)
  .map(
    ([name, pin]) =>
      `  ${/^\w+$/.test(name) ? name : JSON.stringify(name)}: ${literal(sourcePin(sourcesOf.get(pin.suite) as Map<string, Stanza>, pin))},`,
  )
  .join("\n");

for (const [name, open, body] of [
  ["seed.x86_64.ts", /^export const SEED_X86_64.*\{$/m, seedBody(SEED_X86_64, packages)],
  ["seed.aarch64.ts", /^export const SEED_AARCH64.*\{$/m, seedBody(SEED_AARCH64, packagesOfAarch64)],
  ["../sources.ts", /^export const SOURCES = \{$/m, sourceBody],
] as const) {
  const file = fileURLToPath(new URL(name, import.meta.url));
  const text = readFileSync(file, "utf8");
  const wanted = rewrite(name, text, open, "}", body);
  if (wanted === text) continue;
  const changed = wanted.split("\n").filter((line) => !text.includes(line)).length;
  console.log(`${name}: ${changed} pins differ from the archive`);
  if (flags.check) process.exitCode = 1;
  else writeFileSync(file, wanted);
}

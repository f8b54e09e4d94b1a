import { posix } from "node:path";
import { type Check, type Finding, lineAt, readSource, sourceFilesEnding } from "./source-tree.ts";

/** The floors from the ground up; a folder may import only from floors below its own. */
const FLOORS: readonly (readonly string[])[] = [
  ["core/base"],
  ["core/store", "core/module"],
  ["core/derivation", "core/fetch"],
  ["core/build", "core/flake", "core/package", "core/profile", "core/program"],
  ["core/system"],
  ["pkgs"],
  ["modules"],
  ["vm-tests"],
  ["tools"],
];

/** The wing beside the house: it may use every floor of core, and only these may use it. */
const WING = "core/host";
const OPENS_THE_WING = ["tools", "vm-tests/driver", "vm-tests/qemu-wrapper", WING];
const CORE_FLOORS = 5;

const IMPORT =
  /(?:^|[;\n}])\s*(?:import|export)\s(?:[^"';]*?\sfrom\s*)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/g;

export const importsCheck: Check = {
  name: "imports",
  run: () => sourceFilesEnding(".ts").flatMap((file) => checkFile(file, readSource(file))),
};

/** What breaks the direction of imports in one file. */
export function checkFile(file: string, text: string): Finding[] {
  const home = roomOf(file);
  if (home === undefined) return [];
  const findings: Finding[] = [];
  for (const match of text.matchAll(IMPORT)) {
    const specifier = match[1] ?? match[2] ?? "";
    const target = resolveSpecifier(file, specifier);
    if (target === undefined) continue;
    const fault = judge(file, home, target);
    if (fault === undefined) continue;
    const line = lineAt(text, match.index + match[0].indexOf(specifier));
    findings.push({ file, line, ...fault });
  }
  return findings;
}

function judge(file: string, home: string, target: string): { message: string; hint: string } | undefined {
  const isTest = /\.(test|contract)\.ts$/.test(file) || file.includes("/testdata/");
  const room = roomOf(target);
  if (room === undefined || room === home) return undefined;
  if (room === WING) {
    if (isTest || OPENS_THE_WING.some((folder) => file.startsWith(`${folder}/`))) return undefined;
    return {
      message: `"${home}" imports "${target}", which touches the machine`,
      hint: `Declare an interface in "${home}" and let the caller pass what implements it.`,
    };
  }
  const from = home === WING ? CORE_FLOORS : floorOf(home);
  const to = floorOf(room);
  if (to >= from && !isTest) {
    return {
      message: `"${home}" (floor ${from}) imports "${target}" (floor ${to})`,
      hint: "A floor imports only the floors below it: move the shared part down, or pass it as an argument.",
    };
  }
  if (room.startsWith("core/") && !target.endsWith("/index.ts") && !isTest && !/\.contract\.ts$/.test(target)) {
    return {
      message: `"${home}" imports "${target}" past the front door`,
      hint: `Import "${room}/index.ts", and export there what is missing.`,
    };
  }
  return undefined;
}

/** The file a specifier means, relative to the checkout; `undefined` for libraries. */
function resolveSpecifier(file: string, specifier: string): string | undefined {
  if (specifier === "#floe/vm-test") return "vm-tests/index.ts";
  if (specifier.startsWith("#floe/")) return `core/${specifier.slice("#floe/".length)}/index.ts`;
  if (!specifier.startsWith(".")) return undefined;
  return posix.join(posix.dirname(file), specifier);
}

function roomOf(file: string): string | undefined {
  if (file.startsWith(`${WING}/`)) return WING;
  return FLOORS.flat().find((room) => file.startsWith(`${room}/`));
}

function floorOf(room: string): number {
  return FLOORS.findIndex((rooms) => rooms.includes(room));
}

import { CodedError, nearNames } from "../base/index.ts";
import { formatAttribute } from "./attribute.ts";
import { findOutputKind, OUTPUT_KINDS } from "./output-kinds.ts";
import { kindOfValue } from "./inspect-output.ts";

/** Every member of the outputs by its path, none of them made. */
export interface OutputOutline {
  readonly paths: readonly (readonly string[])[];
  /** What lies where no member can be found, by its path. */
  readonly faults: readonly { readonly path: readonly string[]; readonly error: unknown }[];
  /** What is allowed, and yet hardly meant. */
  readonly warnings: readonly { readonly path: readonly string[]; readonly message: string }[];
}

/** Platforms that a misspelt one may mean. */
const PLATFORMS = [
  "x86_64-linux",
  "aarch64-linux",
  "i686-linux",
  "armv7l-linux",
  "riscv64-linux",
  "x86_64-darwin",
  "aarch64-darwin",
];

/** List the members of a flake's outputs, without making any. A part that fails does not hide the others. */
export function outlineOutputs(outputs: object): OutputOutline {
  const paths: string[][] = [];
  const faults: { path: string[]; error: unknown }[] = [];
  const warnings: { path: string[]; message: string }[] = [];
  const walk = (value: object, path: string[], levels: readonly ("platform" | "name")[]): void => {
    const [level, ...below] = levels;
    for (const name of Object.keys(value)) {
      const at = [...path, name];
      try {
        if (level === "platform") checkPlatform(name, at, warnings);
        if (below.length === 0) {
          paths.push(at);
          continue;
        }
        const member = (value as Record<string, unknown>)[name];
        if (member === undefined) continue;
        checkContainer(member, at, below);
        walk(member, at, below);
      } catch (error) {
        faults.push({ path: at, error });
      }
    }
  };
  for (const name of namesOf(outputs)) {
    const kind = findOutputKind(name);
    try {
      if (kind === undefined) {
        warnOfName(name, warnings);
        paths.push([name]);
        continue;
      }
      const member = (outputs as Record<string, unknown>)[name];
      if (member === undefined) continue;
      if (name === "modules" && Array.isArray(member)) {
        paths.push([name]);
        continue;
      }
      checkContainer(member, [name], kind.levels);
      walk(member, [name], kind.levels);
    } catch (error) {
      faults.push({ path: [name], error });
    }
  }
  return { paths, faults, warnings };
}

/** Known outputs in the order they are told, then the others as they come. */
function namesOf(outputs: object): string[] {
  const names = Object.keys(outputs);
  const known = Object.keys(OUTPUT_KINDS).filter((name) => names.includes(name));
  return [...known, ...names.filter((name) => findOutputKind(name) === undefined)];
}

function checkContainer(
  value: unknown,
  path: readonly string[],
  levels: readonly ("platform" | "name")[],
): asserts value is object {
  const found = kindOfValue(value);
  if (found === "an object") return;
  const [level] = levels;
  const expected = level === "platform" ? "members by platform" : "members by name";
  throw new CodedError(
    "flake.output-malformed",
    `Cannot use the output "${formatAttribute(path)}": found ${found}, expected ${expected}`,
    { hint: `Write: ${example(path, level)}` },
  );
}

function example(path: readonly string[], level: "platform" | "name" | undefined): string {
  const [name = "", second = "x86_64-linux"] = path;
  const named = findOutputKind(name)?.levels.length === 2;
  if (path.length > 1 && named)
    return `${name}: { "x86_64-linux": { ${/^[\w$]+$/.test(second) ? second : "default"}: … } }`;
  return level === "platform" ? `${name}: { "x86_64-linux": … }` : `${name}: { default: … }`;
}

function warnOfName(name: string, warnings: { path: string[]; message: string }[]): void {
  const [near] = nearNames(name, Object.keys(OUTPUT_KINDS));
  if (near === undefined) return;
  warnings.push({ path: [name], message: `Floe knows no output "${name}". Did you mean "${near}"?` });
}

function checkPlatform(name: string, path: string[], warnings: { path: string[]; message: string }[]): void {
  if (!name.includes("-")) {
    throw new CodedError(
      "flake.output-malformed",
      `Cannot use the output "${formatAttribute(path)}": "${name}" is no platform, expected one like "x86_64-linux"`,
      { hint: `Write: ${example(path, "platform")}` },
    );
  }
  if (PLATFORMS.includes(name)) return;
  const [near] = nearNames(name, PLATFORMS);
  if (near === undefined) return;
  warnings.push({ path, message: `Floe knows no platform "${name}". Did you mean "${near}"?` });
}

import { CodedError, nearNames, sortedText } from "../../../base/index.ts";
import { findOutputKind, formatAttribute, platformOf } from "../../../flake/index.ts";
import type { AgentQuestion } from "../protocol.ts";

export interface FoundAttribute {
  readonly path: readonly string[];
  readonly value: unknown;
}

/**
 * The first candidate that is there. Only what lies on the way to it is made.
 *
 * @throws {CodedError} `flake.attribute-missing` with near names.
 */
export function findAttribute(outputs: object, { candidates, attribute }: AgentQuestion): FoundAttribute {
  for (const path of candidates) {
    const value = walk(outputs, path);
    if (value !== undefined) return { path, value };
  }
  throw missing(outputs, candidates, attribute);
}

/** Names of the members of a value, without making them. */
export function listNames({ path, value }: FoundAttribute): string[] {
  if (typeof value === "object" && value !== null) return sortedText(Object.keys(value));
  throw new CodedError(
    "flake.attribute-names",
    `Cannot list the names in "${formatAttribute(path)}": found ${typeof value}, expected an object`,
  );
}

/** A member of an object by its name; what every object has (toString, constructor) is none. */
export function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  if (!Object.hasOwn(value, name) && (!(name in value) || name in Object.prototype)) return undefined;
  return (value as Record<string, unknown>)[name];
}

function walk(outputs: unknown, path: readonly string[]): unknown {
  let value = outputs;
  for (const name of path) value = member(value, name);
  return value;
}

function missing(outputs: object, candidates: readonly (readonly string[])[], attribute: string): CodedError {
  const near = candidates.flatMap((path) => nearPaths(outputs, path));
  const looked = candidates.map(formatAttribute);
  // What was asked for, with the name that was meant.
  const asked = candidates.find((path) => nearPaths(outputs, path).length > 0) ?? [];
  const before = attribute.split(".").length < asked.length ? asked.length - attribute.split(".").length : 0;
  const first = near[0] === undefined ? undefined : formatAttribute(near[0].slice(before));
  return new CodedError(
    "flake.attribute-missing",
    `Cannot find "${attribute === "" ? "default" : attribute}" in the flake: it has no ${looked.length > 1 ? `${looked.slice(0, -1).join(", ")} or ${looked.at(-1)}` : looked[0]}`,
    near.length > 0
      ? {
          hint: `Did you mean "${first}"?`,
          details: [...new Set(near.map(formatAttribute))].slice(0, 5).map((name) => `near: ${name}`),
        }
      : {
          hint:
            elsewhere(outputs, candidates) ??
            namesHint(outputs, candidates[0] ?? []) ??
            "See all of them with: floe flake show",
        },
  );
}

/** How to get at what an output has that was not looked at, and the line that makes a formatter. */
function elsewhere(outputs: object, candidates: readonly (readonly string[])[]): string | undefined {
  const [first = []] = candidates;
  if (first[0] === "formatter" && first.length === 2)
    return `Write in the outputs of flake.config.ts: formatter: { "${first[1]}": pkgs.NAME }, a package whose main program formats.`;
  const platform = candidates.map(platformOf).find((name) => name !== undefined);
  const name = candidates.at(-1) ?? [];
  if (platform === undefined || name.length !== 1) return undefined;
  const short = name[0] === "default" ? "" : ` .#${formatAttribute(name)}`;
  for (const [output, command] of [
    ["devShells", "floe develop"],
    ["packages", "floe build"],
  ] as const) {
    const path = [output, platform, ...name];
    if (candidates.some(([looked]) => looked === output) || walk(outputs, path) === undefined) continue;
    return `There is ${formatAttribute(path)}: use it with \`${command}${short}\`, or name it whole: .#${formatAttribute(path)}`;
  }
  return undefined;
}

/** What there is in the one output that was looked at first, when its members have no platforms around them. */
function namesHint(outputs: object, path: readonly string[]): string | undefined {
  const [output = "", ...rest] = path;
  const kind = findOutputKind(output);
  if (rest.length !== 1 || kind?.levels[0] !== "name") return undefined;
  const names = sortedText(Object.keys((member(outputs, output) as object | undefined) ?? {}));
  if (names.length === 0) return undefined;
  return `Its ${output} are ${names.slice(0, 8).join(", ")}${names.length > 8 ? " and more" : ""}.`;
}

/** Paths with another name in the place of the first one that is not there. */
function nearPaths(outputs: object, path: readonly string[]): string[][] {
  let value: unknown = outputs;
  for (const [i, name] of path.entries()) {
    const next = member(value, name);
    if (next !== undefined) {
      value = next;
      continue;
    }
    if (typeof value !== "object" || value === null) return [];
    const swapped = nearNames(name, Object.keys(value)).map((near) => [
      ...path.slice(0, i),
      near,
      ...path.slice(i + 1),
    ]);
    return swapped.filter((one) => walk(outputs, one) !== undefined);
  }
  return [];
}

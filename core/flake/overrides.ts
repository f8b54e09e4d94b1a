import { nearNames } from "../base/index.ts";
import type { InputDeclaration } from "./define-flake.ts";
import type { DeclaredInputs, LockNode } from "./lock-file.ts";

/**
 * What a declaration puts in place of inputs below, by their path from there.
 *
 * One with an address replaces an input, and what is declared below it belongs to the replacement. One without is only the way to
 * what lies deeper: `{ c: { inputs: { d: { follows: "a" } } } }` replaces `c/d`.
 */
export function flattenOverrides({ inputs }: InputDeclaration): Map<string, InputDeclaration> {
  const flat = new Map<string, InputDeclaration>();
  for (const [name, declaration] of Object.entries((inputs ?? {}) as DeclaredInputs)) {
    const isWay =
      declaration.url === undefined && declaration.follows === undefined && declaration.inputs !== undefined;
    if (!isWay) flat.set(name, declaration);
    else for (const [key, deeper] of flattenOverrides(declaration)) flat.set(`${name}/${key}`, deeper);
  }
  return flat;
}

/** Names of a `follows`; none when it is empty, which leaves the input out. */
export function followsPath(follows: string): string[] {
  return follows.split("/").filter((part) => part !== "");
}

export function sameFollows(entry: string | readonly string[] | undefined, wanted: readonly string[]): boolean {
  return Array.isArray(entry) && entry.length === wanted.length && wanted.every((part, i) => entry[i] === part);
}

/** Whether an entry is one for a declaration. */
export function fits(node: LockNode, declaration: InputDeclaration): boolean {
  return node.original === declaration.url && (node.flake === false) === (declaration.flake === false);
}

/** A sentence about what could have been meant by a name that is not there. */
export function hintUnknown(name: string, known: readonly string[]): string {
  const near = nearNames(name, known)[0];
  if (near !== undefined) return `Did you mean "${near}"?`;
  return known.length > 0 ? `Its inputs are ${[...known].sort().join(", ")}.` : "It declares no inputs.";
}

/** The name of an input as a key is written in `flake.config.ts`. */
export function asKey(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}

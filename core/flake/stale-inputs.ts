import { sortedText } from "../base/index.ts";
import type { InputDeclaration } from "./define-flake.ts";
import { type DeclaredInputs, isLockNode, type LockFile, rootOf } from "./lock-file.ts";
import { fits, flattenOverrides, followsPath, sameFollows } from "./overrides.ts";

type Targets = Readonly<Record<string, string | readonly string[]>>;

/**
 * Why a lock does not fit the declared inputs; empty when it does.
 *
 * @param replaced Inputs, by their path, that the command puts something else in the place of.
 */
export function findStaleInputs(declared: DeclaredInputs, lock: LockFile, replaced: readonly string[] = []): string[] {
  return staleLevel(new Map(Object.entries(declared)), rootOf(lock).inputs ?? {}, { lock, replaced }, "");
}

interface Looking {
  readonly lock: LockFile;
  readonly replaced: readonly string[];
}

function staleLevel(
  declared: ReadonlyMap<string, InputDeclaration>,
  targets: Targets,
  looking: Looking,
  prefix: string,
): string[] {
  const { lock, replaced } = looking;
  const reasons: string[] = [];
  for (const name of sortedText([...declared.keys()])) {
    const shown = `"${prefix}${name}"`;
    const declaration = declared.get(name) as InputDeclaration;
    const entry = targets[name];
    if (declaration.follows !== undefined && !replaced.includes(`${prefix}${name}`)) {
      const wanted = followsPath(declaration.follows);
      const isLeftOut = wanted.length === 0 && prefix === "";
      if (isLeftOut ? entry !== undefined : !sameFollows(entry, wanted))
        reasons.push(`${shown} follows something else now`);
      continue;
    }
    const node = typeof entry === "string" ? lock.nodes[entry] : undefined;
    if (!isLockNode(node)) reasons.push(`${shown} has no entry`);
    else if (!fits(node, declaration) && !replaced.includes(`${prefix}${name}`))
      reasons.push(`${shown} is declared as "${declaration.url}", locked as "${node.original}"`);
    else reasons.push(...staleLevel(flattenOverrides(declaration), node.overrides ?? {}, looking, `${prefix}${name}/`));
  }
  for (const name of Object.keys(targets))
    if (!declared.has(name) && !replaced.includes(`${prefix}${name}`))
      reasons.push(`"${prefix}${name}" is no longer ${prefix === "" ? "declared" : "replaced"}`);
  return reasons;
}

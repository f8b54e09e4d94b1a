import { CodedError } from "../base/index.ts";
import { type Derivation, fixedOutputOf, isImpure } from "../derivation/index.ts";
import { attributesOf } from "./structured-attributes.ts";

/** Whether builders run in a sandbox: all of them, none, or all but those whose derivation asks out. */
export type SandboxMode = boolean | "relaxed";

/**
 * Whether the builder of a derivation runs without a sandbox.
 *
 * A derivation asks for that by `__noChroot`, which counts in the `relaxed` mode alone. Built-in builders are ours.
 *
 * @throws {CodedError} `build.no-chroot` when it asks and may not; `build.attributes-malformed`
 *
 * Source: Nix manual, `sandbox`. There `relaxed` lets every fixed-output derivation out as well.
 */
export function runsOutside(drv: Derivation, mode: SandboxMode): boolean {
  if (drv.builder.startsWith("builtin:")) return false;
  if (mode === false) return true;
  if (!asksOut(drv)) return false;
  if (mode === "relaxed") return true;
  throw new CodedError(
    "build.no-chroot",
    `Cannot build "${drv.name}": it asks to run outside the sandbox ("__noChroot")`,
    {
      hint: 'Take the attribute away, or allow it for such derivations by --relaxed-sandbox or the setting "sandbox": "relaxed".',
      exitCode: 100,
    },
  );
}

/** Whether a builder shares the network of the machine: what it makes has a declared hash, or is called impure. */
export function sharesNetwork(drv: Derivation): boolean {
  return fixedOutputOf(drv) !== undefined || isImpure(drv);
}

function asksOut(drv: Derivation): boolean {
  const attributes = attributesOf(drv);
  return attributes === undefined ? drv.env["__noChroot"] === "1" : attributes["__noChroot"] === true;
}

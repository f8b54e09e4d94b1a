import type { CliContext } from "../../context.ts";
import type { BuildCommandFlags } from "../build/index.ts";
import build from "../build/build.ts";

/** `floe system build`: as `floe build`, and a name means a system. */
export default async function buildSystem(
  this: CliContext,
  flags: BuildCommandFlags,
  ...texts: string[]
): Promise<void> {
  await build.call(this, flags, ...texts.map(amongSystems));
}

/** `.#web` is `.#systems.web` here; what already names an output, a derivation or a store path stays. */
export function amongSystems(text: string): string {
  const hash = text.indexOf("#");
  if (hash === -1) return text.startsWith("/nix/store/") ? text : `${text}#systems.default`;
  const attribute = text.slice(hash + 1);
  return attribute === "" || attribute.includes(".") ? text : `${text.slice(0, hash)}#systems.${attribute}`;
}

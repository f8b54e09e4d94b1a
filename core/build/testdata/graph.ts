import type { Derivation } from "../../derivation/index.ts";
import type { StorePath } from "../../store/index.ts";

/** Path of the derivation with a one-word name. */
export function drv(name: string): StorePath {
  return `/nix/store/${"0".repeat(32)}-${name}.drv` as StorePath;
}

/** Path of its output. */
export function out(name: string): StorePath {
  return `/nix/store/${"1".repeat(32)}-${name}` as StorePath;
}

/** Derivations that need each other: `{ a: ["b"] }` means that `a` needs the output of `b`. */
export function graph(edges: Readonly<Record<string, readonly string[]>>): (path: StorePath) => Derivation {
  return (path) => {
    const name = path.slice(44, -4);
    return {
      name,
      outputs: { out: { path: out(name), hashAlgorithm: "", hash: "" } },
      inputDerivations: new Map((edges[name] ?? []).map((input) => [drv(input), ["out"]])),
      inputSources: [],
      system: "x86_64-linux",
      builder: name.startsWith("fetch") ? "builtin:fetchurl" : "/bin/sh",
      args: [],
      env: {},
    };
  };
}

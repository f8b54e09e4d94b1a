import { hashBytes } from "../../base/index.ts";
import { beginEvaluation, type Evaluation } from "../../derivation/index.ts";
import { definePackage, makePackage, makePackageSet, type Overlay, type Package, type PackageAttributes, type PackageDefinition, type Pkgs } from "../index.ts";

/** Start an evaluation in which every source has the same content. */
export function beginTinyEvaluation(): Evaluation {
  return beginEvaluation({ hashTree: () => ({ narHash: hashBytes("sha256", "source"), narSize: 6 }) });
}

export interface TinyAttributes extends PackageAttributes {
  readonly flags?: readonly string[];
  readonly inputs?: readonly Package[];
}

/** A builder with the fewest parts. */
export function tiny(attributes: Partial<TinyAttributes> & { readonly name: string }): Package {
  return makePackage<TinyAttributes>({
    attributes: { version: "1.0", summary: "Test package", homepage: "https://example.org", license: "MIT", ...attributes },
    derive: ({ name, version, flags, inputs }) => ({ name: `${name}-${version}`, system: "x86_64-linux", builder: "/bin/sh", env: { flags, inputs } }),
  });
}

/** The set of these tests: `tool` needs `library`. Members have no static type here. */
export interface TinyPkgs extends Readonly<Record<string, Package>> {}

export const DEFINITIONS: Readonly<Record<string, PackageDefinition>> = {
  library: definePackage(() => tiny({ name: "library" })),
  tool: definePackage((pkgs) => {
    const { library } = pkgs as unknown as TinyPkgs;
    return tiny({ name: "tool", ...(library === undefined ? {} : { inputs: [library] }) });
  }),
};

export function makeTinySet(overlays: readonly Overlay[] = [], definitions = DEFINITIONS): TinyPkgs {
  return makePackageSet({ definitions, overlays, tools: () => ({ greet: () => "hello" }) }) as unknown as TinyPkgs;
}

/** A member that must be there. */
export function get(set: TinyPkgs | Pkgs, name: string): Package {
  return (set as unknown as Record<string, Package>)[name] as Package;
}

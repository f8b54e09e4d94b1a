/** What the members of an output are. */
export type OutputType =
  | "package"
  | "app"
  | "dev-shell"
  | "check"
  | "formatter"
  | "overlay"
  | "module"
  | "system"
  | "home"
  | "vm-test"
  | "template"
  | "unknown";

/** An output that Floe knows. */
export interface OutputKind {
  readonly type: OutputType;
  /** What its members lie under, from the outside. */
  readonly levels: readonly ("platform" | "name")[];
}

const BY_PLATFORM = ["platform", "name"] as const;

/** The outputs that Floe knows, in the order they are told. */
export const OUTPUT_KINDS: Readonly<Record<string, OutputKind>> = {
  packages: { type: "package", levels: BY_PLATFORM },
  apps: { type: "app", levels: BY_PLATFORM },
  devShells: { type: "dev-shell", levels: BY_PLATFORM },
  checks: { type: "check", levels: BY_PLATFORM },
  formatter: { type: "formatter", levels: ["platform"] },
  overlays: { type: "overlay", levels: ["name"] },
  modules: { type: "module", levels: ["name"] },
  systems: { type: "system", levels: ["name"] },
  homes: { type: "home", levels: ["name"] },
  vmTests: { type: "vm-test", levels: ["name"] },
  templates: { type: "template", levels: ["name"] },
};

/** What an output of this name is; `undefined` when Floe does not know it. */
export function findOutputKind(name: string): OutputKind | undefined {
  return Object.hasOwn(OUTPUT_KINDS, name) ? OUTPUT_KINDS[name] : undefined;
}

/** The platform a path of an output lies under, if it is one of those with platforms. */
export function platformOf(path: readonly string[]): string | undefined {
  return findOutputKind(path[0] ?? "")?.levels[0] === "platform" ? path[1] : undefined;
}

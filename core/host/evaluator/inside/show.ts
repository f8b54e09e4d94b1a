import { reportError } from "./errors.ts";
import { isDerivation } from "./to-json.ts";

/** One line of the overview of a flake's outputs. */
export type ShownOutput =
  | { readonly type: "package" | "derivation" | "system"; readonly name: string; readonly description?: string }
  | { readonly type: "vm-test" | "function" | "data"; readonly name?: string; readonly description?: string }
  | { readonly type: "error"; readonly message: string }
  | { readonly type: "set"; readonly members: Readonly<Record<string, ShownOutput>> };

/** How many levels of names the standard outputs have above their values. */
const LEVELS: Readonly<Record<string, number>> = { packages: 2, checks: 2, apps: 2, systems: 1, vmTests: 1 };

/** Overview of all outputs. A member that fails is shown as such, and does not hide the others. */
export function showOutputs(outputs: object): ShownOutput {
  return members(outputs, (name, value) => showLevel(value, LEVELS[name] ?? 0));
}

function showLevel(value: unknown, levels: number): ShownOutput {
  return levels === 0 || typeof value !== "object" || value === null
    ? showValue(value)
    : members(value, (_name, item) => showLevel(item, levels - 1));
}

function members(value: object, show: (name: string, value: unknown) => ShownOutput): ShownOutput {
  const entries = Object.keys(value).map((name): [string, ShownOutput] => {
    try {
      return [name, show(name, (value as Record<string, unknown>)[name])];
    } catch (error) {
      return [name, { type: "error", message: reportError(error).message }];
    }
  });
  return { type: "set", members: Object.fromEntries(entries) };
}

function showValue(value: unknown): ShownOutput {
  if (typeof value === "function") return { type: "function" };
  if (typeof value !== "object" || value === null) return { type: "data" };
  const { kind, type, name, description, summary, version, meta } = value as Record<string, unknown>;
  const about = [description, summary, (meta as { summary?: unknown } | undefined)?.summary].find(
    (text) => typeof text === "string",
  ) as string | undefined;
  const described = about === undefined ? {} : { description: about };
  const called = typeof name === "string" ? name : "";
  if (kind === "package") return { type: "package", name: versioned(called, version), ...described };
  if (kind === "system") return { type: "system", name: called, ...described };
  if (kind === "vm-test" || kind === "vmTest" || type === "vmTest")
    return { type: "vm-test", name: called, ...described };
  if (isDerivation(value)) return { type: "derivation", name: called };
  return { type: "data" };
}

function versioned(name: string, version: unknown): string {
  return typeof version === "string" && version !== "" && !name.endsWith(version) ? `${name}-${version}` : name;
}

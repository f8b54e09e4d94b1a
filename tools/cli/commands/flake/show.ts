import { platformOf } from "../../../../core/flake/index.ts";
import type { AskedOutput } from "../../../../core/host/evaluator/index.ts";
import { askOutputs, hostPlatform, outlineFlake } from "../../../../core/host/flake/index.ts";
import type { CliContext } from "../../context.ts";
import { plainText } from "../../text.ts";
import type { ShowFlags } from "./index.ts";
import { openForCommand } from "./open.ts";

/** What is told of one member. */
interface Leaf {
  readonly type: AskedOutput["type"] | "omitted" | "error";
  readonly name?: string;
  readonly description?: string;
  readonly message?: string;
}

type Tree = Map<string, Tree | Leaf>;

const WORDS: Readonly<Record<Leaf["type"], string>> = {
  package: "package",
  app: "app",
  "dev-shell": "development environment",
  check: "check",
  formatter: "formatter",
  overlay: "overlay",
  module: "module",
  system: "system",
  home: "home",
  "vm-test": "VM test",
  template: "template",
  unknown: "unknown",
  omitted: "omitted (see --all-platforms)",
  error: "does not evaluate",
};

/** `floe flake show`: the tree of outputs. What fails is told in its place, and hides nothing else. */
export default async function show(this: CliContext, flags: ShowFlags, reference: string): Promise<void> {
  using opened = await openForCommand(this, { ...flags, flake: reference });
  const { flake } = opened;
  const { paths, faults, warnings } = await outlineFlake(flake);
  const isMeant = (path: readonly string[]): boolean =>
    flags.allPlatforms || [undefined, hostPlatform()].includes(platformOf(path));
  const asked = await askOutputs(flake, "show", paths.filter(isMeant));
  const tree: Tree = new Map();
  // First all of them as they come, so that what fails keeps its place among the others.
  for (const path of paths) put(tree, path, { type: "omitted" });
  for (const { path, ...leaf } of asked.outputs) put(tree, path, leaf);
  for (const { path, error } of [...faults, ...asked.faults])
    put(tree, path, { type: "error", message: error.message });
  for (const { message } of warnings) this.say(`warning: ${message}`);
  if (flags.json) return this.printJson(toJson(tree));
  this.print(flake.directory);
  for (const line of lines(tree, "")) this.print(line);
}

function put(tree: Tree, path: readonly string[], leaf: Leaf): void {
  let at = tree;
  for (const name of path.slice(0, -1)) {
    let next = at.get(name);
    if (!(next instanceof Map)) {
      next = new Map();
      at.set(name, next);
    }
    at = next;
  }
  at.set(path.at(-1) as string, leaf);
}

function toJson(tree: Tree): unknown {
  return Object.fromEntries([...tree].map(([name, item]) => [name, item instanceof Map ? toJson(item) : item]));
}

function lines(tree: Tree, indent: string): string[] {
  return [...tree].flatMap(([name, item], i) => {
    const last = i === tree.size - 1;
    const head = `${indent}${last ? "└── " : "├── "}${plainText(name)}`;
    if (!(item instanceof Map)) return [`${head}: ${plainText(about(item))}`];
    return [head, ...lines(item, `${indent}${last ? "    " : "│   "}`)];
  });
}

function about({ type, name, description, message }: Leaf): string {
  const called = name === undefined || name === "" ? "" : type === "unknown" ? `, ${name}` : ` "${name}"`;
  const words = type === "module" && name?.endsWith("modules") ? name : `${WORDS[type]}${called}`;
  return [words, message].filter((each) => each !== undefined).join(": ") + (description ? `, ${description}` : "");
}

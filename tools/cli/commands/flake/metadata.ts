import type { ResolvedInput, ResolvedInputs } from "../../../../core/flake/index.ts";
import type { CliContext } from "../../context.ts";
import { formatSource } from "./changes.ts";
import type { AskFlags } from "./index.ts";
import { openForCommand } from "./open.ts";

/** `floe flake metadata`: the flake, and the tree of its inputs. */
export default async function metadata(this: CliContext, flags: AskFlags, reference: string): Promise<void> {
  using opened = await openForCommand(this, { ...flags, flake: reference });
  const { flake } = opened;
  const { description } = await flake.describe();
  const resolved = await flake.resolveInputs();
  if (flags.json) {
    return this.printJson({
      directory: flake.directory,
      ...(description === undefined ? {} : { description }),
      inputs: resolved.inputs,
      nodes: Object.fromEntries(
        [...resolved.nodes].map(([id, { storePath, locked, original, isFlake, inputs }]) => [
          id,
          { original, locked, storePath, isFlake, inputs },
        ]),
      ),
      lock: flake.lock,
    });
  }
  if (description !== undefined) this.print(`Description: ${description}`);
  this.print(`Directory:   ${flake.directory}`);
  this.print(Object.keys(resolved.inputs).length === 0 ? "Inputs:      none" : "Inputs:");
  for (const line of inputLines(resolved.inputs, resolved, [], "", new Set())) this.print(line);
}

function inputLines(
  inputs: Readonly<Record<string, string>>,
  resolved: ResolvedInputs,
  path: readonly string[],
  indent: string,
  shown: Set<string>,
): string[] {
  const names = Object.keys(inputs);
  // One source that several inputs are is told once: where it has its name from, and else where it comes first, from the outside.
  const tells = new Map<string, string>();
  for (const name of names) {
    const id = inputs[name] as string;
    if (!shown.has(id) && (!tells.has(id) || [...path, name].join("/") === id)) tells.set(id, name);
  }
  for (const id of tells.keys()) shown.add(id);
  return names.flatMap((name, i) => {
    const last = i === names.length - 1;
    const id = inputs[name] as string;
    const input = resolved.nodes.get(id) as ResolvedInput;
    const head = `${indent}${last ? "└── " : "├── "}${name}`;
    if (tells.get(id) !== name) return [`${head}: is ${id}`];
    return [
      `${head}: ${formatSource(input.locked)}`,
      ...inputLines(input.inputs, resolved, [...path, name], `${indent}${last ? "    " : "│   "}`, shown),
    ];
  });
}

import { CodedError, compareText, nearNames, sortedText } from "../../../../core/base/index.ts";
import type { CliContext } from "../../context.ts";
import { jsonText, textOfLines } from "../../text.ts";
import type { GraphFlags } from "./index.ts";
import { listOptions, type ShownOption } from "./list-options.ts";

/** What one module has to do with the options of another one. */
export interface GraphEdge {
  readonly from: string;
  /** The module that declares the options. */
  readonly to: string;
  /** `defines`: gives them a value; `reads`: what it says depends on them. */
  readonly kind: "defines" | "reads";
  /** Paths of the options, sorted. */
  readonly options: readonly string[];
}

/** `floe option graph`: which module gives what to whom, and who reads it. */
export default async function graph(this: CliContext, flags: GraphFlags, ...modules: string[]): Promise<void> {
  const { options, fault, isModules, answer } = await listOptions(this, flags);
  if (fault !== undefined) throw fault;
  if (isModules) {
    throw new CodedError(
      "option.no-configuration",
      `Cannot show who gives what to whom in "${flags.flake}": found modules, expected a system`,
      { hint: "Name a system that is made of them: --flake .#NAME" },
    );
  }
  const edges = graphOf(options);
  const names = namesOf(options, edges);
  const unknown = modules.find((module) => !names.includes(module));
  if (unknown !== undefined) throw unknownModule(unknown, names);
  const meant = edges.filter(
    ({ from, to, kind }) =>
      (flags.reads || kind === "defines") && (modules.length === 0 || modules.includes(from) || modules.includes(to)),
  );
  if (flags.json) return answer(jsonText(meant));
  await answer(textOfLines(flags.dot ? drawing(meant) : listing(meant)));
}

/** The edges between different modules, in the order of their names. */
export function graphOf(options: readonly ShownOption[]): GraphEdge[] {
  const found = new Map<string, { edge: Omit<GraphEdge, "options">; options: Set<string> }>();
  const add = (edge: Omit<GraphEdge, "options">, option: string): void => {
    if (edge.from === edge.to) return;
    const key = JSON.stringify([edge.from, edge.to, edge.kind]);
    const known = found.get(key) ?? { edge, options: new Set() };
    found.set(key, known);
    known.options.add(option);
  };
  for (const { path, declaredBy: to, definitions = [], readers = [] } of options) {
    for (const { module: from } of definitions) add({ from, to, kind: "defines" }, path);
    for (const { module: from } of readers) add({ from, to, kind: "reads" }, path);
  }
  return [...found.values()]
    .map(({ edge, options: paths }) => ({ ...edge, options: sortedText(paths) }))
    .sort((a, b) => compareText(a.from, b.from) || compareText(a.to, b.to) || compareText(a.kind, b.kind));
}

function namesOf(options: readonly ShownOption[], edges: readonly GraphEdge[]): string[] {
  return sortedText(new Set([...options.map(({ declaredBy }) => declaredBy), ...edges.map(({ from }) => from)]));
}

function listing(edges: readonly GraphEdge[]): string[] {
  return edges.flatMap(({ from, to, kind, options }, i) => [
    ...(edges[i - 1]?.from === from ? [] : [from]),
    `  ${kind} ${to}: ${options.map((path) => (path.startsWith(`${to}.`) ? path.slice(to.length + 1) : path)).join(", ")}`,
  ]);
}

/** For Graphviz: an arrow goes from who gives a value to who declares its option, a dashed one from there to who reads it. */
function drawing(edges: readonly GraphEdge[]): string[] {
  const label = ({ options }: GraphEdge): string => {
    const shown = options.slice(0, 3).join("\n");
    return quoted(options.length > 3 ? `${shown}\nand ${options.length - 3} more` : shown);
  };
  return [
    "digraph modules {",
    "  node [shape = box];",
    ...edges.map((edge) => {
      const [tail, head] = edge.kind === "defines" ? [edge.from, edge.to] : [edge.to, edge.from];
      const style = edge.kind === "defines" ? "" : ", style = dashed";
      return `  ${quoted(tail)} -> ${quoted(head)} [label = ${label(edge)}${style}];`;
    }),
    "}",
  ];
}

/** As a name of Graphviz, where backslash and quote mean something. */
function quoted(text: string): string {
  return JSON.stringify(text);
}

function unknownModule(name: string, names: readonly string[]): CodedError {
  const near = nearNames(name, names)[0];
  return new CodedError("option.unknown-module", `Cannot show what "${name}" gives to others: found no such module`, {
    hint: near === undefined ? "Leave the name away to see all of them." : `Did you mean "${near}"?`,
  });
}

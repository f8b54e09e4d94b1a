import type { CliContext } from "../../context.ts";
import type { AskFlags } from "./index.ts";
import { openForCommand } from "./open.ts";

interface Shown {
  readonly type: string;
  readonly name?: string;
  readonly description?: string;
  readonly message?: string;
  readonly members?: Readonly<Record<string, Shown>>;
}

const WORDS: Readonly<Record<string, string>> = {
  package: "package",
  derivation: "derivation",
  system: "system",
  "vm-test": "VM test",
  function: "function",
  data: "data",
};

/** `floe flake show`: the tree of outputs. */
export default async function show(this: CliContext, flags: AskFlags, reference: string): Promise<void> {
  using opened = await openForCommand(this, { ...flags, flake: reference });
  const { value } = await opened.flake.evaluate({ attribute: "", want: "show" });
  const shown = value as unknown as Shown;
  if (flags.json) return this.printJson(shown);
  this.print(opened.flake.directory);
  for (const line of lines(shown.members ?? {}, "")) this.print(line);
}

function lines(members: Readonly<Record<string, Shown>>, indent: string): string[] {
  const names = Object.keys(members);
  return names.flatMap((name, i) => {
    const last = i === names.length - 1;
    const member = members[name] as Shown;
    return [
      `${indent}${last ? "└── " : "├── "}${name}${about(member)}`,
      ...lines(member.members ?? {}, `${indent}${last ? "    " : "│   "}`),
    ];
  });
}

function about({ type, name, description, message }: Shown): string {
  if (type === "set") return "";
  if (type === "error") return `: does not evaluate: ${message}`;
  return `: ${WORDS[type] ?? type}${name === undefined || name === "" ? "" : ` "${name}"`}${description === undefined ? "" : `, ${description}`}`;
}

import { CodedError, nearNames, type SourceLocation } from "../../../../core/base/index.ts";
import type { CliContext } from "../../context.ts";
import { showErrorLine } from "../../errors.ts";
import { jsonText, textOfLines } from "../../text.ts";
import type { OptionFlags } from "./index.ts";
import { listOptions, namesOf, sayDeclaredOnly, type ShownDefinition, type ShownOption } from "./list-options.ts";

/** `floe option show`: one option whole, or what a group of options has. */
export default async function show(this: CliContext, flags: OptionFlags, path: string): Promise<void> {
  const { options, fault, isModules, answer, keyAt } = await listOptions(this, flags);
  const found = findOption(options, path);
  const option = found?.definitions === undefined ? found : { ...found, definitions: found.definitions.map(atKey) };
  const group = options.filter((each) => each.path.startsWith(`${path}.`));
  if (option !== undefined) {
    const none = fault === undefined ? (isModules ? "modules have none" : undefined) : showErrorLine(fault, this.cwd);
    await answer(flags.json ? jsonText(option) : textOfLines(linesOf(option, none)));
  } else if (group.length > 0) {
    await answer(flags.json ? jsonText(group) : textOfLines(group.map((each) => `${each.path}: ${each.type}`)));
  } else {
    if (fault !== undefined) sayDeclaredOnly(this, fault);
    throw unknown(path, options);
  }
  // What modules declare is told by now; the value, which was asked for as well, is not there.
  if (fault !== undefined) throw fault;

  function atKey(definition: ShownDefinition): ShownDefinition {
    return definition.at === undefined ? definition : { ...definition, at: keyAt(definition.at, path) };
  }
}

/** The option at a path; one inside a set of free names also by such a name, and then with what the set has for it. */
export function findOption(options: readonly ShownOption[], path: string): ShownOption | undefined {
  const exact = options.find((each) => each.path === path);
  if (exact !== undefined) return exact;
  const declared = options.find((each) => stands(each.path, path));
  const around = options.find((each) => each.definitions !== undefined && path.startsWith(`${each.path}.`));
  if (declared === undefined || around === undefined) return declared;
  const inside = namesOf(path.slice(around.path.length + 1));
  const value = dig(around.value, inside);
  const definitions = (around.definitions ?? []).flatMap((definition) => {
    const part = dig(definition.value, inside);
    return part === undefined ? [] : [{ ...definition, value: part }];
  });
  return { ...declared, ...(value === undefined ? {} : { value }), definitions, readers: around.readers ?? [] };
}

function dig(value: unknown, names: readonly string[]): unknown {
  return names.reduce<unknown>(
    (part, name) =>
      typeof part === "object" && part !== null && Object.hasOwn(part, name)
        ? (part as Record<string, unknown>)[name]
        : undefined,
    value,
  );
}

/** Whether a path with free names in it stands for another one: `hosts.<name>.root` for `hosts.localhost.root`. */
function stands(declared: string, path: string): boolean {
  if (!/<name>|\*/.test(declared)) return false;
  const wanted = namesOf(path);
  const parts = declared.split(".");
  return (
    parts.length === wanted.length && parts.every((part, i) => part === "<name>" || part === "*" || part === wanted[i])
  );
}

/** @param none Why it has no value, where that is not for the configuration to say. */
function linesOf(option: ShownOption, none: string | undefined): string[] {
  const { path, type, description, example, related, readOnly, declaredBy, declaredAt, definitions, readers } = option;
  return [
    path,
    ...(description === undefined ? [] : [`  ${description}`]),
    "",
    `Type: ${type}${readOnly ? ", set once" : ""}`,
    ...valueLines(option, none),
    `Default: ${option.default ?? "none"}`,
    ...(example === undefined ? [] : [`Example: ${example}`]),
    ...(related.length === 0 ? [] : [`See also: ${related.join(", ")}`]),
    `Declared by: ${declaredBy}${placed(declaredAt)}`,
    ...(definitions === undefined ? [] : section("Defined by", definitions.map(definitionLine))),
    ...(readers === undefined
      ? []
      : section(
          "Read by",
          readers.map(({ module, at }) => `  ${module}${placed(at)}`),
        )),
  ];
}

function valueLines(option: ShownOption, none: string | undefined): string[] {
  if ("value" in option) return [`Value: ${data(option.value)}`];
  if (none !== undefined) return [`Value: none (${none})`];
  return option.definitions === undefined ? [] : ["Value: none"];
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [`${title}: nobody`] : [`${title}:`, ...lines];
}

function definitionLine({ value, priority, module, at, counts }: ShownDefinition): string {
  return `${counts ? "*" : " "} ${data(value)} (${priorityName(priority)}) by ${module}${placed(at)}`;
}

const PRIORITIES: Readonly<Record<number, string>> = { 50: "force", 100: "plain", 1000: "defaults" };

function priorityName(priority: number): string {
  const name = PRIORITIES[priority];
  return name === undefined ? `priority ${priority}` : `${name}, ${priority}`;
}

function placed(at: SourceLocation | undefined): string {
  return at === undefined ? "" : ` at ${at.file}:${at.line}:${at.column}`;
}

function data(value: unknown): string {
  return JSON.stringify(value);
}

function unknown(path: string, options: readonly ShownOption[]): CodedError {
  const near = nearNames(
    path,
    options.map((option) => option.path),
  );
  return new CodedError("option.unknown-path", `Cannot show the option "${path}": no module declares it`, {
    hint: near[0] === undefined ? "Look for it: floe option search WORDS" : `Did you mean "${near[0]}"?`,
  });
}

import { CodedError } from "../../../../core/base/index.ts";
import { defaultTemplateFolder, type ListedTemplate, TemplateStore } from "../../../../vm-tests/driver/index.ts";
import type { CliContext } from "../../context.ts";
import type { JsonFlags } from "../../flags.ts";
import type { RemoveTemplateFlags } from "./template-commands.ts";

/** Digits of a key that are shown; as many are enough to name one. */
const SHOWN_DIGITS = 12;

function openTemplates(context: CliContext): TemplateStore {
  return new TemplateStore(defaultTemplateFolder(context.env));
}

/** `floe vm-test template list`. */
export async function listTemplates(this: CliContext, flags: JsonFlags): Promise<void> {
  const store = openTemplates(this);
  const templates = store.list();
  if (flags.json) return this.printJson(templates);
  for (const template of templates) this.print(show(template));
  if (templates.length === 0) this.say(`no machines are kept in ${store.folder}`);
}

/**
 * `floe vm-test template remove`.
 *
 * @throws {CodedError} `vm-test.no-template` when a word names none, or nothing is named.
 */
export async function removeTemplates(this: CliContext, flags: RemoveTemplateFlags, ...words: string[]): Promise<void> {
  const store = openTemplates(this);
  const templates = store.list();
  const isMeant = (word: string, { key, machine }: ListedTemplate): boolean => key.startsWith(word) || machine === word;
  const lost = words.find((word) => !templates.some((template) => isMeant(word, template)));
  if (lost !== undefined || (words.length === 0 && !flags.all)) {
    const what = lost === undefined ? "none is named" : `no template has the key or the machine "${lost}"`;
    throw new CodedError("vm-test.no-template", `Cannot remove a template: ${what}`, {
      hint: "`floe vm-test template list` shows all of them; --all removes all of them.",
    });
  }
  for (const template of templates) {
    if (!flags.all && !words.some((word) => isMeant(word, template))) continue;
    const gone = store.remove(template.key);
    this.print(`${gone ? "removed" : "in use "} ${show(template)}`);
    if (!gone) this.exitWith(1);
  }
}

function show({ key, machine, architecture, accelerator, sizeBytes, usedAt, refused }: ListedTemplate): string {
  const what = refused === undefined ? `${(sizeBytes / 1e6).toFixed(0)} MB` : `boots each time: ${refused}`;
  const used = usedAt.toISOString().replace(/\.\d+Z$/, "Z");
  return `${key.slice(0, SHOWN_DIGITS)}  ${machine}  ${architecture} ${accelerator}  ${what}  used ${used}`;
}

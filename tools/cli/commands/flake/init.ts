import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { CodedError } from "../../../../core/base/index.ts";
import { findEngine, realisePlan } from "../../../../core/host/evaluator/index.ts";
import { placeTemplate } from "../../../../core/host/flake/index.ts";
import type { CliContext } from "../../context.ts";
import type { InitFlags } from "./index.ts";
import { openForCommand } from "./open.ts";

/** `floe flake init`: begin a flake in the folder of the command. */
export async function init(this: CliContext, flags: InitFlags): Promise<void> {
  await begin(this, flags, this.cwd);
}

/** `floe flake new DIR`: begin a flake in a new folder. */
export async function makeNew(this: CliContext, flags: InitFlags, folder: string): Promise<void> {
  await begin(this, flags, resolve(this.cwd, folder));
}

interface TemplateValue {
  readonly path: string;
  readonly welcome?: string;
}

async function begin(context: CliContext, flags: InitFlags, to: string): Promise<void> {
  const { flake: reference, attribute } = parseTemplate(flags.template);
  using opened = await openForCommand(context, { ...flags, flake: reference, locked: true });
  const { flake, store } = opened;
  const result = await flake.evaluate({ attribute, kinds: ["templates"] });
  const { path, welcome } = readTemplate(result.value, result.attribute);
  await realisePlan(store, result.plan);
  const origin = flake.reference ?? referenceOf(flake.directory, flake.sourceDirectory);
  const written = placeTemplate({ from: store.realPath(path as Parameters<typeof store.realPath>[0]), to, origin });
  if (flags.json) return context.printJson({ directory: to, template: result.attribute, origin, written });
  for (const file of written) context.say(`wrote ${file}`);
  if (written.length === 0) context.say("everything is there already");
  if (welcome !== undefined) context.say(welcome);
}

/** `FLAKE#TEMPLATE`, `FLAKE`, or the name of one of Floe's own. */
function parseTemplate(text: string): { flake: string; attribute: string } {
  const hash = text.indexOf("#");
  if (hash === -1 && !/^[./~]|:/.test(text)) return { flake: findEngine(), attribute: text };
  const [flake, attribute] = hash === -1 ? [text, ""] : [text.slice(0, hash), text.slice(hash + 1)];
  return { flake: flake === "" ? "." : flake, attribute };
}

/** A folder of this machine as others refer to it: by its commits where it has some. */
function referenceOf(directory: string, sourceDirectory: string): string {
  const below = directory.slice(sourceDirectory.length + 1);
  const kind = existsSync(`${sourceDirectory}/.git`) ? "git+file://" : "path:";
  return `${kind}${sourceDirectory}${below === "" ? "" : `?dir=${below}`}`;
}

function readTemplate(value: unknown, attribute: string): TemplateValue {
  const { path, welcome } = (value ?? {}) as { path?: unknown; welcome?: unknown };
  if (typeof path === "string" && path.startsWith("/nix/store/"))
    return { path, ...(typeof welcome === "string" ? { welcome } : {}) };
  throw new CodedError("flake.not-a-template", `Cannot begin a flake with "${attribute}": it is no template`, {
    hint: 'A template is written as: templates: { default: { path: local("./templates/default"), description: "…" } }',
  });
}

import { buildCommand } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { type JsonFlags, jsonFlags } from "../../flags.ts";

export interface RemoveTemplateFlags {
  readonly all: boolean;
}

const list = buildCommand<JsonFlags, [], CliContext>({
  loader: async () => (await import("./template.ts")).listTemplates,
  parameters: { flags: { ...jsonFlags } },
  docs: { brief: "List the machines that are kept for copies, the one used last first" },
});

const remove = buildCommand<RemoveTemplateFlags, string[], CliContext>({
  loader: async () => (await import("./template.ts")).removeTemplates,
  parameters: {
    flags: {
      all: { kind: "boolean", default: false, withNegated: false, brief: "Remove all that are not in use" },
    },
    positional: {
      kind: "array",
      parameter: {
        brief: "The beginning of a template's key, or the name of its machine",
        placeholder: "KEY",
        parse: String,
      },
    },
  },
  docs: { brief: "Remove kept machines; their next test boots them again" },
});

/** Verbs of `floe vm-test template`; \`warm\` takes the flags of \`run\`, and stands beside it. */
export const templateRoutes = { list, remove };

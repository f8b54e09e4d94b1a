import { type Read, type Write, declare, defineModule, option } from "#floe/module";
import { type EtcEntry, makeEtcTree } from "#floe/system";
import { buildersOf } from "../builders-of.ts";
import { ETC_SNIPPET } from "./apply-etc.ts";

const options = declare("environment", {
  etc: option.attrsOf(
    option.submodule({
      enable: option.bool({ default: true, description: "Whether the entry exists." }),
      text: option.nullOr(option.lines(), { description: "The content." }),
      source: option.nullOr(option.path(), { description: "A file or folder with the content, instead of `text`." }),
      mode: option.str({
        default: "symlink",
        pattern: /symlink|0?[0-7]{3}/,
        shape: "`symlink` or an octal mode such as 0600",
        description: "`symlink`, or the mode of a copy.",
      }),
      user: option.str({ default: "root", description: "Owner of a copy." }),
      group: option.str({ default: "root", description: "Group of a copy." }),
    }),
    { description: "Files below /etc, by their path there. They go away together with their entry; other files stay." },
  ),
});

export interface EnvironmentEtc extends Read<typeof options> {}
export interface EnvironmentEtcDefs extends Write<typeof options> {}

declare module "#floe/module" {
  interface EnvironmentConfig extends EnvironmentEtc {}
  interface EnvironmentDefs extends EnvironmentEtcDefs {}
}

export default defineModule(options, ({ cfg, pkgs, define, check }) => {
  const entries: Record<string, EtcEntry> = {};
  for (const [path, { enable, text, source, mode, user, group }] of Object.entries(cfg.etc)) {
    if (!enable) continue;
    const whole = (text === null) !== (source === null);
    check(
      whole,
      `Cannot make "/etc/${path}": found ${text === null ? "neither" : "both"} of text and source, expected one of them`,
    );
    if (!whole) continue;
    const content =
      source === null ? ({ kind: "text", text: text ?? "" } as const) : ({ kind: "source", path: source } as const);
    entries[path] = { content, mode, user, group };
  }
  const { tree, lines } = makeEtcTree({ ...buildersOf(pkgs), entries });
  define({ system: { build: { etc: `${tree}/etc`, etcLinks: `${tree}/links`, etcEntries: lines } } });
  define({
    system: { activationScripts: { etc: { text: ETC_SNIPPET, deps: ["users"], supportsDryActivation: false } } },
  });
});

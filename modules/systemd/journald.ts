import { type Read, type Write, declare, defineModule, option } from "#floe/module";
import { followSettings } from "./follow-settings.ts";
import { formatUnit } from "./unit-text.ts";
import { section } from "./unit-options.ts";

const options = declare("services.journald", {
  storage: option.enumeration(["persistent", "volatile", "none"], {
    default: "persistent",
    description: "Where the journal is kept: `persistent` in /var/log/journal, `volatile` in memory.",
  }),
  console: option.nullOr(option.path(), { description: "A device that shows every message, such as /dev/ttyS0." }),
  settings: section,
});

export interface Journald extends Read<typeof options> {}
export interface JournaldDefs extends Write<typeof options> {}

declare module "#floe/module" {
  interface ServicesConfig {
    readonly journald: Journald;
  }
  interface ServicesDefs {
    journald?: JournaldDefs | undefined;
  }
}

export default defineModule(options, ({ cfg, define }) => {
  const console = cfg.console === null ? {} : { ForwardToConsole: true, TTYPath: cfg.console };
  const text = formatUnit({ Journal: { Storage: cfg.storage, ...console, ...cfg.settings } });
  define({ environment: { etc: { "systemd/journald.conf": { text } } } });
  define({ systemd: { services: { "systemd-journald": followSettings(text, "restart") } } });
  // Moves the journal from memory to the disk, once that is there.
  if (cfg.storage !== "persistent") define({ systemd: { maskedUnits: ["systemd-journal-flush.service"] } });
});

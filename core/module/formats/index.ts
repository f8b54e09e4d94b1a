import { ini, keyValue } from "./ini.ts";
import { json } from "./json.ts";
import { toml } from "./toml.ts";
import { yaml } from "./yaml.ts";

export type { Data, DataSet, Scalar } from "./data-type.ts";
export type { IniData, IniSettings, KeyValue, KeyValues } from "./ini.ts";
export type { SettingsFormat } from "./settings-format.ts";

/**
 * Formats of settings files: an option for the settings of a program, and their text.
 *
 *     const options = declare("services.clock", {
 *       settings: formats.toml.settings({ port: option.port({ default: 80 }) }),
 *     });
 *     define({ environment: { etc: { "clock.toml": { text: formats.toml.format(cfg.settings) } } } });
 *
 * Whoever can read the store can read these files: a secret stands in a file elsewhere, and its path in the settings.
 */
export const formats = { ini, json, keyValue, toml, yaml } as const;

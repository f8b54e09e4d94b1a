/** Settings that a flake carries along, for the commands that use it. Only those of the flake a command names count, not of its inputs. */
export interface FlakeSettings {
  /** Stores that have what the flake builds. Who uses the flake is asked first. */
  readonly substituters?: readonly string[];
  /** Keys, `NAME:BASE64`, whose signatures are believed. Who uses the flake is asked first. */
  readonly trustedPublicKeys?: readonly string[];
  /** First line of what `--commit-lock-file` commits. Default `lock.json: Update`. */
  readonly commitLockFileSummary?: string;
}

/** Whose a setting is to decide: `flake` for what can do no harm, `user` for what is as good as root on a machine. */
export type SettingOwner = "flake" | "user";

interface SettingKind {
  readonly type: "text" | "texts";
  readonly owner: SettingOwner;
}

/** Every setting that a flake may carry. */
export const FLAKE_SETTINGS: Readonly<Record<keyof FlakeSettings, SettingKind>> = {
  substituters: { type: "texts", owner: "user" },
  trustedPublicKeys: { type: "texts", owner: "user" },
  commitLockFileSummary: { type: "text", owner: "flake" },
};

/** What is wrong with a setting of a flake; `undefined` when nothing is. */
export function settingFault(name: string, value: unknown): string | undefined {
  if (!Object.hasOwn(FLAKE_SETTINGS, name))
    return `found "settings.${name}", expected only ${Object.keys(FLAKE_SETTINGS).join(", ")}`;
  const { type } = FLAKE_SETTINGS[name as keyof FlakeSettings];
  const isText = (part: unknown): boolean => typeof part === "string" && !/[\u0000-\u001f\u007f]/.test(part);
  if (type === "text" ? isText(value) : Array.isArray(value) && value.every(isText)) return undefined;
  return `"settings.${name}" is something else, expected ${type === "text" ? "a text of one line" : "a list of texts"}`;
}

import { formatHash, hashBytes } from "#floe/base";

/**
 * A drop-in that makes a switch hand changed settings to a running service of a package: the service reads them from
 * /etc, so that neither its unit nor its program would tell of the change.
 *
 * @param text The settings; only their hash becomes part of the unit.
 * @param how What the service needs to take them in.
 */
export function followSettings(text: string, how: "reload" | "restart") {
  const hash = formatHash(hashBytes("sha256", text), "base32");
  const key = how === "reload" ? "X-Reload-Triggers" : "X-Settings";
  return { overrides: true, onChange: "restart", unitConfig: { [key]: hash } } as const;
}

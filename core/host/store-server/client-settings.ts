import type { ClientSettings } from "./served-store.ts";

/** Settings that would weaken the server for everybody. */
const DANGEROUS = new Set(["sandbox", "sandbox-fallback"]);

/**
 * What a client's settings come to. Those we have no use for are passed over in silence: clients send whatever differs from
 * their own defaults.
 *
 * @param base Settings that have a place of their own in the protocol.
 * @param named Settings by name, as in `nix.conf`.
 * @returns Also the names of those that are refused, because only trusted clients may change them.
 */
export function applySettings(
  base: ClientSettings,
  named: Readonly<Record<string, string>>,
  trusted: boolean,
): { readonly settings: ClientSettings; readonly refused: readonly string[] } {
  const count = (name: string): number | undefined => {
    const text = Object.hasOwn(named, name) ? (named[name] as string) : "";
    return /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
  };
  const settings: ClientSettings = {
    ...base,
    timeoutSeconds: count("timeout") ?? base.timeoutSeconds,
    maxSilentSeconds: count("max-silent-time") ?? base.maxSilentSeconds,
    maxLogBytes: count("max-build-log-size") ?? base.maxLogBytes,
  };
  const refused = trusted ? [] : Object.keys(named).filter((name) => DANGEROUS.has(name));
  return { settings, refused };
}

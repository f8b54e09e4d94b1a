import { parsePublicKey, type PublicKey } from "../store/index.ts";
import { mergeSubstitutionSettings, type SubstitutionSettings } from "./substitution-settings.ts";

export interface ClientSubstitution {
  readonly settings: SubstitutionSettings;
  /** Words about what a client asked for and does not get. */
  readonly refused: readonly string[];
}

/**
 * What a client of a daemon makes of the machine's settings about other stores: `substituters`, `extra-substituters`,
 * `trusted-public-keys`, `extra-trusted-public-keys` and `require-sigs`, as in `nix.conf`.
 *
 * Who is not trusted may choose among the stores that the machine names, for everybody (`substituters`) or for who asks
 * (`trustedSubstituters`), and nothing else: whoever says which keys count could bring in anything.
 *
 * @param named All settings the client sent, by name; others are left to others.
 *
 * Source: Nix manual, `trusted-substituters`.
 */
export function applyClientSubstitution(
  machine: SubstitutionSettings,
  named: Readonly<Record<string, string>>,
  trusted: boolean,
): ClientSubstitution {
  const refused: string[] = [];
  const words = (name: string): string[] | undefined =>
    Object.hasOwn(named, name) ? (named[name] as string).split(/\s+/).filter((word) => word !== "") : undefined;
  const offered = new Set([...machine.substituters, ...(machine.trustedSubstituters ?? [])].map(withoutSlash));
  const allowed = (url: string): boolean => {
    if (trusted || offered.has(withoutSlash(url))) return true;
    refused.push(`the store "${url}" is not asked: only trusted users may name it`);
    return false;
  };
  const onlyTrusted = (name: string): string[] | undefined => {
    const found = words(name);
    if (found === undefined || trusted) return found;
    refused.push(`the setting "${name}" is ignored: only trusted users may change it`);
    return undefined;
  };
  const substituters = words("substituters")?.filter(allowed) ?? machine.substituters;
  const extra = words("extra-substituters")?.filter(allowed) ?? [];
  const keys = onlyTrusted("trusted-public-keys");
  const extraKeys = onlyTrusted("extra-trusted-public-keys") ?? [];
  const [signatures] = onlyTrusted("require-sigs") ?? [];
  return {
    settings: {
      ...mergeSubstitutionSettings([
        { substituters, trustedKeys: keys === undefined ? machine.trustedKeys : readKeys(keys, refused) },
        { substituters: extra, trustedKeys: readKeys(extraKeys, refused) },
      ]),
      requireSignatures: signatures === undefined ? machine.requireSignatures : signatures !== "false",
    },
    refused,
  };
}

function readKeys(texts: readonly string[], refused: string[]): PublicKey[] {
  return texts.flatMap((text) => {
    try {
      return [parsePublicKey(text)];
    } catch (error) {
      refused.push((error as Error).message);
      return [];
    }
  });
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}

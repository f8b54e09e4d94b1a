import {
  EMPTY_SUBSTITUTION_SETTINGS,
  mergeSubstitutionSettings,
  type SubstitutionSettings,
} from "../../core/build/index.ts";
import type { Substituters } from "../../core/host/substitute/index.ts";
import { readSubstitutionSettings } from "../../core/host/substitute/settings.ts";
import { parsePublicKey } from "../../core/store/index.ts";
import type { CliContext } from "./context.ts";
import type { SubstituteFlags } from "./flags.ts";
import { grantedSubstitution } from "./granted-settings.ts";

/**
 * The other stores a command may ask; `undefined` when there are none. The caller closes them.
 *
 * @param warn Shows what is wrong with one of them.
 * @throws {CodedError} `substitution.settings-malformed`, `key.malformed`
 */
export async function openSubstituteStores(
  context: CliContext,
  flags: SubstituteFlags,
  warn: (message: string) => void,
): Promise<Substituters | undefined> {
  if (!flags.substitute) return undefined;
  const settings = withFlags(
    mergeSubstitutionSettings([readSubstitutionSettings(), grantedSubstitution(context)]),
    flags,
  );
  if (settings.substituters.length === 0) return undefined;
  // With it comes Node's HTTP client, which takes a third of the time of a small build to load.
  const { openSubstituters } = await import("../../core/host/substitute/index.ts");
  const { offline, refresh } = flags;
  return openSubstituters({ settings, offline, refresh, warn, cwd: context.cwd, signal: context.signal });
}

/** `--substituters` takes the place of the stores that the settings name; the other flags add to them. */
function withFlags(stated: SubstitutionSettings, flags: SubstituteFlags): SubstitutionSettings {
  const replaced = words(flags.substituters);
  const settings = replaced.length === 0 ? stated : { ...stated, substituters: replaced };
  const extra: SubstitutionSettings = {
    ...EMPTY_SUBSTITUTION_SETTINGS,
    substituters: words(flags.extraSubstituter),
    trustedKeys: words(flags.trustedKey).map(parsePublicKey),
  };
  return mergeSubstitutionSettings([settings, extra]);
}

/** One text may name several, as users of Nix write it. */
function words(texts: readonly string[] = []): string[] {
  return texts.flatMap((text) => text.split(/\s+/)).filter((word) => word !== "");
}

import { EMPTY_SUBSTITUTION_SETTINGS, type SubstitutionSettings } from "../../core/build/index.ts";
import type { FlakeSettings } from "../../core/flake/index.ts";
import { parsePublicKey } from "../../core/store/index.ts";
import type { CliContext } from "./context.ts";

/** What was granted to flakes, by the process of the command. */
const granted = new WeakMap<object, FlakeSettings>();

/** Let settings of a flake count from here on. */
export function grant(context: CliContext, settings: FlakeSettings): void {
  granted.set(context.process, { ...granted.get(context.process), ...settings });
}

/** The stores and keys of flakes that may be used by this command. */
export function grantedSubstitution(context: CliContext): SubstitutionSettings {
  const { substituters = [], trustedPublicKeys = [] } = granted.get(context.process) ?? {};
  return { ...EMPTY_SUBSTITUTION_SETTINGS, substituters, trustedKeys: trustedPublicKeys.map(parsePublicKey) };
}

/** The first line for a commit of the lock that the flake wants. */
export function grantedSummary(context: CliContext): string | undefined {
  return granted.get(context.process)?.commitLockFileSummary;
}

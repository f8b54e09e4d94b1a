/**
 * Place of a build's log below the log directory, without suffix.
 *
 * Shape: `drvs/<first two characters of the derivation's base name>/<the rest>`; followed by `.zst` (ours), `.bz2` or nothing (Nix).
 */
export function logPathOf(logDirectory: string, drvPath: string): string {
  const base = drvPath.slice(drvPath.lastIndexOf("/") + 1);
  return `${logDirectory}/drvs/${base.slice(0, 2)}/${base.slice(2)}`;
}

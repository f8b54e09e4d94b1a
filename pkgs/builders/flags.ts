/**
 * A list of flags as words for the build script's shell: variables such as `$out` expand, everything else is literal.
 *
 * @example shellWords(["--prefix=$out", "--with-cc-opt=-O2 -g"]) // "--prefix=$out" "--with-cc-opt=-O2 -g"
 */
export function shellWords(flags: readonly unknown[]): string {
  return flags.map((flag) => `"${String(flag).replace(/[\\"`]/g, "\\$&")}"`).join(" ");
}

/** Quote a text as one word of a shell command. */
export function quoteShell(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The `PATH` made of packages' `bin` folders. */
export function binPath(packages: readonly { toString(): string }[]): string {
  return packages.map((one) => `${one}/bin`).join(":");
}

/** A name and a password, or a token in its place. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** What a netrc file says of one machine. */
export interface NetrcEntry extends Credentials {
  /** Name of the machine; absent for the one that stands for all others. */
  readonly machine?: string;
}

/**
 * Read a netrc file: `machine NAME login USER password PASSWORD` and `default …`, in any layout.
 *
 * Macros (`macdef`) run to the next empty line and are skipped, `account` too; values may be quoted. Lines that make no sense
 * are passed over, as by every program that reads such a file.
 *
 * Source: curl, `lib/netrc.c`; ftp(1).
 */
export function parseNetrc(text: string): NetrcEntry[] {
  const entries: NetrcEntry[] = [];
  let entry: { machine?: string; username: string; password: string } | undefined;
  const words = wordsOf(text.replace(/^[ \t]*macdef\b.*(\n(?![ \t]*\n).*)*/gm, ""));
  for (let word = words.next(); word.done !== true; word = words.next()) {
    const value = (): string => {
      const next = words.next();
      return next.done === true ? "" : next.value;
    };
    if (word.value === "machine") entries.push((entry = { machine: value(), username: "", password: "" }));
    else if (word.value === "default") entries.push((entry = { username: "", password: "" }));
    else if (word.value === "account") value();
    else if (word.value === "login" || word.value === "password") {
      const said = value();
      if (entry !== undefined) entry[word.value === "login" ? "username" : "password"] = said;
    }
  }
  return entries;
}

/** Words, with quotes and comments understood. */
function* wordsOf(text: string): Generator<string> {
  for (const line of text.split("\n")) {
    for (const [word] of line.matchAll(/"(?:\\.|[^"\\])*"|\S+/g)) {
      // A password may have "#" in it, but not at its beginning.
      if (word.startsWith("#")) break;
      yield word.startsWith('"') ? word.slice(1, -1).replace(/\\(.)/g, "$1") : word;
    }
  }
}

/** The first entry for a machine, or the one for all others. */
export function findNetrcEntry(entries: readonly NetrcEntry[], machine: string): Credentials | undefined {
  const found =
    entries.find((entry) => entry.machine === machine) ?? entries.find((entry) => entry.machine === undefined);
  return found === undefined ? undefined : { username: found.username, password: found.password };
}

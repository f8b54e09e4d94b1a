import { CodedError } from "../../core/base/index.ts";

/** QEMU's names of the keys that carry a character on a US keyboard. Source: QEMU, qapi/ui.json, "QKeyCode". */
const KEYS: Readonly<Record<string, string>> = {
  " ": "spc",
  "\n": "ret",
  "\t": "tab",
  "-": "minus",
  "=": "equal",
  "[": "bracket_left",
  "]": "bracket_right",
  "\\": "backslash",
  ";": "semicolon",
  "'": "apostrophe",
  "`": "grave_accent",
  ",": "comma",
  ".": "dot",
  "/": "slash",
};
/** Characters above others, in the order of {@link PLAIN}. */
const SHIFTED = '~!@#$%^&*()_+{}|:"<>?';
const PLAIN = "`1234567890-=[]\\;',./";

/** The keys that are pressed together for one character. @throws {CodedError} `screen.no-key` */
export function keysFor(character: string): string[] {
  if (/^[a-z0-9]$/.test(character)) return [character];
  if (/^[A-Z]$/.test(character)) return ["shift", character.toLowerCase()];
  const shifted = SHIFTED.indexOf(character);
  if (shifted >= 0 && character.length === 1) return ["shift", ...keysFor(PLAIN[shifted] as string)];
  const key = KEYS[character];
  if (key !== undefined) return [key];
  throw new CodedError("screen.no-key", `Cannot type ${JSON.stringify(character)}: a US keyboard has no key for it`);
}

/** The keys of a chord such as `ctrl-alt-delete`. */
export function parseChord(chord: string): string[] {
  // A dash itself is a key, by its own name: `minus`.
  return chord.split("-").filter((key) => key !== "");
}

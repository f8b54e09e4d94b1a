/**
 * Spell out what options give and take, in the text of a declaration file.
 *
 * `WriteGroup<{ readonly port: Option<number> }>` becomes `{ port?: number }`, and an interface that extends `Write<typeof options>`
 * gets these members as its own, each with the comment of its option: editors show comments of written members, and the language
 * server of TypeScript 7 shows none of members that a mapped type makes. Errors are shorter, too. What is not understood stays.
 *
 * @param text As the compiler writes declarations.
 */
export function spellOutOptions(text: string): string {
  const groups = new Map<string, string>();
  for (const match of text.matchAll(/^(?:export )?declare const (\w+): (?:import\("[^"]*"\)\.)?Declaration<(?=\{)/gm)) {
    const open = match.index + match[0].length;
    groups.set(match[1] as string, text.slice(open, closing(text, open)));
  }
  const spelled = text.replace(
    /^(export )?(?:declare )?interface (\w+) extends (Read|Write)<typeof (\w+)> \{\s*\}/gm,
    (whole, exported: string | undefined, name: string, side: Side, options: string) => {
      const group = spellGroup(groups.get(options) ?? "", side);
      return group === undefined ? whole : `${exported ?? ""}interface ${name} ${group}`;
    },
  );
  return spellInside(spelled);
}

type Side = "Read" | "Write";

interface Member {
  /** Lines of its comment, or nothing. */
  readonly comment: string;
  /** As it is written, perhaps in quotes. */
  readonly name: string;
  readonly type: string;
}

/** Spell out every group that a text mentions. */
function spellInside(text: string): string {
  let spelled = "";
  let at = 0;
  for (const match of text.matchAll(/(?:import\("[^"]*"\)\.)?\b(Read|Write)(?:Required)?Group<(?=\{)/g)) {
    if (match.index < at) continue;
    const open = match.index + match[0].length;
    const end = closing(text, open);
    const group = text[end] === ">" ? spellGroup(text.slice(open, end), match[1] as Side) : undefined;
    if (group === undefined) continue;
    spelled += text.slice(at, match.index) + group;
    at = end + 1;
  }
  return spelled + text.slice(at);
}

/** An object type for a group of options, written as one; `undefined` where it has something else in it. */
function spellGroup(group: string, side: Side): string | undefined {
  const members = membersOf(group);
  if (members === undefined) return undefined;
  const lines = members.map(({ comment, name, type }) => {
    const shown = comment === "" ? "" : `${comment}\n`;
    const option = /^(?:import\("[^"]*"\)\.)?(Required)?Option</.exec(type);
    if (option === null) {
      const nested = type.startsWith("{") ? spellGroup(type, side) : undefined;
      const member = nested ?? `import("#floe/module").${side}Group<{ readonly ${name}: ${type} }>[${quoted(name)}]`;
      return shown + (side === "Read" ? `readonly ${name}: ${member};` : `${name}?: ${member} | undefined;`);
    }
    const [value = "unknown", defined = value] = argumentsOf(type.slice(option[0].length, -1));
    if (side === "Read") return `${shown}readonly ${name}: ${spellInside(value)};`;
    const isRequired = option[1] !== undefined;
    return `${shown}${name}${isRequired ? "" : "?"}: (${spellInside(defined)})${isRequired ? "" : " | undefined"};`;
  });
  return `{\n${lines.join("\n")}\n}`;
}

function quoted(name: string): string {
  return /^["']/.test(name) ? name : `"${name}"`;
}

/** Members of an object type; `undefined` when one of them has no name of its own. */
function membersOf(group: string): Member[] | undefined {
  if (!group.startsWith("{")) return undefined;
  const members: Member[] = [];
  const start = /\s*((?:\/\*[\s\S]*?\*\/\s*)*)(?:readonly )?([\w$]+|"(?:[^"\\]|\\.)*")(\??): /y;
  let at = 1;
  for (;;) {
    if (/^\s*\}$/.test(group.slice(at))) return members;
    start.lastIndex = at;
    const match = start.exec(group);
    if (match === null || match[3] === "?") return undefined;
    const end = endOf(group, start.lastIndex, ";");
    members.push({
      comment: (match[1] as string).trim(),
      name: match[2] as string,
      type: group.slice(start.lastIndex, end).trim(),
    });
    at = end + 1;
  }
}

/** Arguments of a generic type, from the text between its brackets. */
function argumentsOf(text: string): string[] {
  const found: string[] = [];
  for (let at = 0; at < text.length; ) {
    const end = endOf(text, at, ",");
    found.push(text.slice(at, end).trim());
    at = end + 1;
  }
  return found;
}

/** Comments, texts, arrows and brackets; all else is of no interest. */
const PART = /\/\*[\s\S]*?\*\/|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`|=>|[([{<>}\])]|[;,]/g;

/** Where a sign stands next that is not inside brackets; the end of the text when there is none. */
function endOf(text: string, from: number, sign: string): number {
  let depth = 0;
  const part = new RegExp(PART);
  part.lastIndex = from;
  for (let match = part.exec(text); match !== null; match = part.exec(text)) {
    const [found] = match;
    if (depth === 0 && found === sign) return match.index;
    if ("([{<".includes(found)) depth += 1;
    if (")]}>".includes(found)) depth -= 1;
    if (depth < 0) return match.index;
  }
  return text.length;
}

/** One past the bracket that closes the one at a place. */
function closing(text: string, open: number): number {
  return endOf(text, open + 1, "\0") + 1;
}

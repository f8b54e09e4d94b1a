import type { Mistake, Section } from "./mistake.ts";
import type { Shown } from "./run-mistake.ts";

/** A mistake and what became of it. */
export interface Told {
  readonly mistake: Mistake;
  readonly shown: Shown;
}

const HEAD = `# Errors

Mistakes that people make, and what Floe says to each. This page is made by running them: \`npm run errors\` writes it,
and a test compares it with what is printed now and checks that

- a message begins with \`file:line:column\` in the user's own file, where the mistake is in one;
- it fits on a screen (24 rows of 100 columns);
- it has a hint, which says what to write or to run;
- it has no frame of the engine, and no path of a temporary folder.

In the place of what differs between machines stand names that do not: \`/home/you\`, \`git.example.org\`, \`…\` for the digest of
what depends on the machine's own shell, \`0.1 s\` for any time. What stands in brackets at the end of the first line is the code of
the error, which stays the same when words change.
`;

/** The text of `docs/errors.md`. */
export function makePage(sections: readonly (readonly [Section, readonly Told[]])[]): string {
  const parts = sections.map(([section, told]) => {
    const files = Object.entries(section.files ?? {}).map(([name, text]) => file(name, text));
    return [`## ${section.heading}\n`, `${section.words}\n`, ...files, ...told.map(makeEntry)].join("\n");
  });
  return [HEAD, ...parts].join("\n").replace(/\n+$/, "\n");
}

function makeEntry({ mistake, shown }: Told): string {
  const parts = [`### ${mistake.heading}\n`];
  if (mistake.said !== undefined) parts.push(`${mistake.said}\n`);
  parts.push(...Object.entries(shown.files).map(([name, text]) => file(name, text)));
  parts.push(`\`\`\`console\n$ floe ${mistake.command.map(quote).join(" ")}\n${shown.message}\n\`\`\`\n`);
  return parts.join("\n");
}

function file(name: string, text: string): string {
  const language = /\.([a-z]+)$/.exec(name)?.[1] ?? "";
  return `\`${name}\`:\n\n\`\`\`${language}\n${text.trimEnd()}\n\`\`\`\n`;
}

function quote(word: string): string {
  return /^[\w./#:=@^-]+$/.test(word) ? word : `'${word}'`;
}

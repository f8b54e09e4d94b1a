import { existsSync } from "node:fs";
import { join, posix } from "node:path";
import type { Command, RouteMap } from "@stricli/core";
import type { CliContext } from "../cli/context.ts";
import { routes } from "../cli/routes.ts";
import { type Check, type Finding, lineAt, readSource, ROOT, sourceFilesEnding } from "./source-tree.ts";

type Target = RouteMap<CliContext> | Command<CliContext>;

/** What the pages say exists: the files they link to, the commands and flags they show, the npm scripts they name. */
export const docsCheck: Check = {
  name: "docs",
  run: () => sourceFilesEnding(".md").flatMap((file) => checkPage(file, readSource(file))),
};

export function checkPage(file: string, text: string): Finding[] {
  return [...checkLinks(file, text), ...checkCommands(file, text), ...checkScripts(file, text)];
}

function checkLinks(file: string, text: string): Finding[] {
  return [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)\s]*)?\)/g)].flatMap((match) => {
    const link = match[1] ?? "";
    if (/^[a-z]+:/.test(link) || existsSync(join(ROOT, posix.join(posix.dirname(file), link)))) return [];
    return [
      {
        file,
        line: lineAt(text, match.index),
        message: `the page links to "${link}", which does not exist`,
        hint: "Correct the link, or take it out.",
      },
    ];
  });
}

/** Lines of shell in a page that begin with `floe` or `tool`. */
function checkCommands(file: string, text: string): Finding[] {
  return [...text.matchAll(/^(?:\$ )?(?:npx )?(?:floe|tool) ([a-z][^\n#]*)/gm)].flatMap((match) => {
    const missing = missingPart((match[1] ?? "").split(/\s+/));
    if (missing === undefined) return [];
    return [
      {
        file,
        line: lineAt(text, match.index),
        message: `the page shows "${match[0]}", but there is no ${missing}`,
        hint: "`floe --help` lists the commands; every command takes --help.",
      },
    ];
  });
}

function missingPart(words: readonly string[]): string | undefined {
  let target: Target = routes;
  let index = 0;
  while ("getRoutingTargetForInput" in target) {
    const word = words[index++];
    if (word === undefined) return undefined;
    const next: Target | undefined = target.getRoutingTargetForInput(word);
    if (next === undefined) return `command "${word}"`;
    target = next;
  }
  for (const word of words.slice(index)) {
    if (word === "--") return undefined;
    const flag = /^--([a-z-]+)/.exec(word)?.[1];
    if (flag === undefined || flag === "help") continue;
    const known = (name: string) => (target as Command<CliContext>).usesFlag(name, "allow-kebab-for-camel");
    if (!known(flag) && !known(flag.replace(/^no-/, ""))) return `flag "--${flag}"`;
  }
  return undefined;
}

function checkScripts(file: string, text: string): Finding[] {
  const { scripts } = JSON.parse(readSource("package.json")) as { scripts: Record<string, string> };
  return [...text.matchAll(/\bnpm run ([a-z:-]+)/g)].flatMap((match) => {
    if (match[1] !== undefined && match[1] in scripts) return [];
    return [
      {
        file,
        line: lineAt(text, match.index),
        message: `the page names the script "${match[1]}", which package.json does not have`,
        hint: "Name one of its scripts.",
      },
    ];
  });
}

import { existsSync } from "node:fs";
import { join, posix } from "node:path";
import type { Command, RouteMap } from "@stricli/core";
import type { CliContext } from "../cli/context.ts";
import { routesFor } from "../cli/routes.ts";
import { type Check, type Finding, lineAt, readSource, ROOT, sourceFilesEnding } from "./source-tree.ts";

type Target = RouteMap<CliContext> | Command<CliContext>;

/** What the pages say exists: the files they link to, the commands and flags they show, the npm scripts they name. */
export const docsCheck: Check = {
  name: "docs",
  run: () => [
    ...sourceFilesEnding(".md").flatMap((file) => checkPage(file, readSource(file))),
    ...sourceFilesEnding(".ts")
      .filter((file) => !file.endsWith(".test.ts") && !file.startsWith("tools/checks/"))
      .flatMap((file) => checkHints(file, readSource(file))),
  ],
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

/** A page of mistakes, misspelt commands among them. */
const MISTAKES = "docs/errors.md";

/** Lines of shell in a page that begin with `floe` or `tool`. */
function checkCommands(file: string, text: string): Finding[] {
  if (file === MISTAKES) return [];
  return checkEach(file, text, /^(?:\$ )?(?:npx )?(?:floe|tool) ([a-z][^\n#]*)/gm);
}

/** Commands in back-ticks, or after a colon at the end of a text, in messages and comments of the sources. */
export function checkHints(file: string, text: string): Finding[] {
  return [...checkEach(file, text, /`floe ([a-z][^`\\$\n]*)/g), ...checkEach(file, text, /: floe ([a-z][^"`$\n]*)"/g)];
}

function checkEach(file: string, text: string, pattern: RegExp): Finding[] {
  return [...text.matchAll(pattern)].flatMap((match) => {
    const missing = missingPart((match[1] ?? "").split(/\s+/));
    if (missing === undefined) return [];
    return [
      {
        file,
        line: lineAt(text, match.index),
        message: `"${match[0].trim()}" is shown, but there is no ${missing}`,
        hint: "`floe --help` lists the commands; every command takes --help.",
      },
    ];
  });
}

/** Of every command. */
const ROUTES = await routesFor([]);

/** The first word of a command line that does not exist; `a|b` are alternatives, capitals stand for what is put there. */
function missingPart(words: readonly string[]): string | undefined {
  let targets: Target[] = [ROUTES];
  let index = 0;
  while (targets.some(isRouteMap)) {
    const word = words[index++];
    if (word === undefined || /^[A-Z]/.test(word)) return undefined;
    const next: Target[] = [];
    for (const name of word.split("|")) {
      const found = targets.flatMap((target) => {
        const below = isRouteMap(target) ? findBelow(target, name) : undefined;
        return below === undefined ? [] : [below];
      });
      if (found.length === 0) return `command "${name}"`;
      next.push(...found);
    }
    targets = next;
  }
  for (const word of words.slice(index)) {
    if (word === "--") return undefined;
    const flag = /^--([a-z-]+)/.exec(word)?.[1];
    if (flag === undefined || flag === "help") continue;
    const names = [camelCase(flag), camelCase(flag.replace(/^no-/, ""))];
    const known = (target: Target) => !isRouteMap(target) && names.some((name) => target.usesFlag(name, "original"));
    if (!targets.every(known)) return `flag "--${flag}"`;
  }
  return undefined;
}

function findBelow(target: RouteMap<CliContext>, name: string): Target | undefined {
  return target.getRoutingTargetForInput(name) ?? target.getRoutingTargetForInput(camelCase(name));
}

function isRouteMap(target: Target): target is RouteMap<CliContext> {
  return "getRoutingTargetForInput" in target;
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
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

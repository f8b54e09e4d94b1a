import type { CliContext } from "../../context.ts";
import { showError } from "../../errors.ts";
import type { RunFlags } from "./index.ts";
import { GithubReporter } from "./reporters/github.ts";
import { JsonReporter } from "./reporters/json.ts";
import { type RunReporter, tellAll } from "./reporters/reporter.ts";
import { TerminalReporter } from "./reporters/terminal.ts";

/**
 * The reporters that are asked for, as one; on GitHub's machines annotations are made unasked, unless JSON is printed.
 *
 * @param say Takes lines for people, where something else is on the terminal, too. Default: stderr.
 */
export function makeReporter(
  context: CliContext,
  flags: Pick<RunFlags, "reporter" | "json" | "quiet" | "verbose">,
  several: boolean,
  say?: (text: string) => void,
): RunReporter {
  const { reporter: named = ["terminal"], json, quiet, verbose } = flags;
  const { env, terminal, cwd } = context;
  const asked = new Set(named);
  if (env["GITHUB_ACTIONS"] === "true" && !json && !asked.has("json")) asked.add("github");
  const print = (line: string): void => context.print(line);
  const made: RunReporter[] = [];
  if (asked.has("terminal")) {
    made.push(
      new TerminalReporter({
        write: say ?? ((text) => void context.process.stderr.write(text)),
        // What is one piece of JSON, or lines of it, has no other lines in it.
        print: json || asked.has("json") ? (line) => context.say(line) : print,
        showError: (error) => showError(error, { cwd, color: terminal.color }),
        interactive: terminal.interactive && say === undefined,
        color: terminal.color,
        columns: terminal.columns,
        verbose,
        quiet,
        several,
      }),
    );
  }
  if (asked.has("json")) made.push(new JsonReporter(print));
  if (asked.has("github")) made.push(new GithubReporter(print, env["GITHUB_WORKSPACE"] || cwd));
  return tellAll(made);
}

/**
 * Where a process of the bundled program starts, as `dist/floe.cjs`: it hands over to the sources where one of them is newer. Start-up is
 * most of the time that a small command takes.
 */
import { fileURLToPath } from "node:url";
import { findAnswer } from "./known-answer.ts";
import { Output } from "./output.ts";
import { loadProgram, PROGRAM_NAME } from "./program-script.ts";
import { isStale } from "./stale.ts";
import { VERSION } from "./version.ts";

const words = process.argv.slice(2);
const [, entry = ""] = process.argv;
if (isStale(entry)) {
  const source = fileURLToPath(new URL("start.ts", import.meta.url));
  process.argv[1] = source;
  void import(source);
} else if (words.length === 1 && words[0] === "--version") {
  // Scripts ask often, and no command has to be loaded to answer.
  new Output("stdout").line(VERSION);
} else {
  const known = findAnswer({ words, entry });
  if (known === undefined) run();
  else new Output("stdout").write(known);
}

function run(): void {
  const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
  void loadProgram(`${root}/dist/${PROGRAM_NAME}`, root, words).runFloe(words);
}

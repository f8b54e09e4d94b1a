/**
 * Where a process of the bundled program starts, as `dist/floe.cjs`: it hands over to the sources where one of them is newer. Start-up is
 * most of the time that a small command takes.
 */
import { fileURLToPath } from "node:url";
import { userCacheFolder } from "../../core/host/answers/kept-files.ts";
import { EarlyStart } from "../../core/host/evaluator/early-start.ts";
import { findAnswer, placeOfAnswer } from "./known-answer.ts";
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
  const place = placeOfAnswer({ words, entry });
  const known = place === undefined ? undefined : findAnswer(place);
  if (known === undefined) run(place?.key);
  else new Output("stdout").write(known);
}

/** @param key The command with all that it depends on besides files. */
function run(key: string | undefined): void {
  const folder = userCacheFolder(process.env);
  const early = key === undefined || folder === undefined ? undefined : new EarlyStart(folder, key);
  early?.begin();
  const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
  void loadProgram(`${root}/dist/${PROGRAM_NAME}`, root).runFloe(words, early);
}

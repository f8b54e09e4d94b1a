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
// For this process alone: what it starts is asked by nobody.
const { FLOE_COMMAND: command, FLOE_ASKED: asked } = process.env;
delete process.env["FLOE_COMMAND"];
delete process.env["FLOE_ASKED"];
const [, entry = ""] = process.argv;
if (words.length === 1 && words[0] === "--version") {
  // Scripts ask often, and no command has to be loaded to answer.
  if (isStale(entry)) runSources();
  else new Output("stdout").line(VERSION);
} else run();

function run(): void {
  const place = placeOfAnswer({ words, entry });
  const known = place === undefined ? undefined : findAnswer(place);
  const folder = userCacheFolder(process.env);
  const early =
    place === undefined || folder === undefined ? undefined : new EarlyStart(folder, place.key, { command, asked });
  // It goes on while we look at some hundred sources.
  if (known === undefined) early?.begin();
  if (isStale(entry)) {
    early?.end();
    runSources();
  } else if (known === undefined) {
    const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
    void loadProgram(`${root}/dist/${PROGRAM_NAME}`, root).runFloe(words, early);
  } else {
    new Output("stdout").write(known);
    early?.free();
  }
}

function runSources(): void {
  const source = fileURLToPath(new URL("start.ts", import.meta.url));
  process.argv[1] = source;
  void import(source);
}

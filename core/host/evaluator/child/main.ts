/**
 * The process of one evaluation.
 *
 * In: a line with the question; on descriptor 3 what is kept of modules, or nothing. Out: a greeting, a line with what is
 * new of them (empty when nothing is), a line with the answer, a line with compiled code or a profile where that was asked for, and
 * a last line, which the error stream has as well. Under a debugger more lines come and go, see `debug-protocol.ts`; a process that
 * stands ready takes the line for what to prepare for, see `spare.ts`.
 */
import { readFileSync } from "node:fs";
import { DEBUG_ARGUMENT, DEBUG_MARK, type DebugCommand, type DebugMessage } from "../debug-protocol.ts";
import { END_MARK, type EvaluatorQuestion, GREETING, SPARE_ARGUMENT, UNCHANGED_MARK } from "../protocol.ts";
import { readModuleCache } from "../read-module-cache.ts";
import { underDebugger } from "./debug.ts";
import { configurationFile, Evaluation } from "./evaluation.ts";
import { forbidCodeFromText } from "./forbid-code.ts";
import { LineInput } from "./lines.ts";
import { profiled } from "./profile.ts";
import { waitForQuestion } from "./spare.ts";
import { writeAll } from "./write.ts";

/** Descriptor of the file with modules of earlier evaluations. */
const KNOWN_MODULES = 3;

function main(): void {
  forbidCodeFromText();
  writeAll(1, `${GREETING}\n`);
  const spare = process.argv.find((argument) => argument.startsWith(SPARE_ARGUMENT));
  // Under a debugger what is to be done comes later on the same way; else what follows the line is for whoever keeps the question.
  const input = process.argv.includes(DEBUG_ARGUMENT) ? new LineInput(0) : undefined;
  const questionJson = (input === undefined ? readFileSync(0, "utf8").split("\n", 1)[0] : input.next()) as string;
  const question = JSON.parse(questionJson) as EvaluatorQuestion;
  const evaluation = new Evaluation(question, readModuleCache(KNOWN_MODULES));
  if (spare === undefined) return answer(evaluation, question, input);
  evaluation.prepare();
  waitForQuestion({
    seconds: Number(spare.slice(SPARE_ARGUMENT.length)),
    isOfUse: () => evaluation.canBeAsked(),
    idle: () => evaluation.warmUp(),
    onLine(line) {
      const asked = line === "" ? question : (JSON.parse(line) as EvaluatorQuestion);
      if (!evaluation.renew(asked)) process.exit(1);
      if (line === "" && !evaluation.findsChange()) {
        writeAll(2, `${UNCHANGED_MARK}\n`);
        return true;
      }
      answer(evaluation, asked, undefined);
      return false;
    },
  });
}

/** Say the answer, and end. */
function answer(evaluation: Evaluation, question: EvaluatorQuestion, input: LineInput | undefined): void {
  let debug: ReturnType<typeof underDebugger> | undefined;
  if (input !== undefined && question.debug !== undefined) {
    const { breaks, onWarn } = question.debug;
    const ask = (message: DebugMessage): DebugCommand => {
      writeAll(1, `${DEBUG_MARK}${JSON.stringify(message)}\n`);
      const line = input.next();
      // Nobody is there any more who could say what to do.
      if (line === undefined) process.exit(1);
      return JSON.parse(line) as DebugCommand;
    };
    debug = underDebugger({ breaks, onWarn, ask, placeOf: (url) => configurationFile(url, evaluation.mounts) });
  }
  const ask = () => evaluation.answer({ onModules: (json) => writeAll(1, `${json}\n`), onReady: () => debug?.ready() });
  const { value: whole, profile } = question.profile === true ? profiled(ask) : { value: ask(), profile: undefined };
  if (whole === undefined) process.exit(1);
  writeAll(1, `${whole}\n`);
  if (profile !== undefined) writeAll(1, `${JSON.stringify(profile)}\n`);
  if (question.tellCode === true) writeAll(1, `${evaluation.compiledCode()?.toString("base64") ?? ""}\n`);
  writeAll(1, `${END_MARK}\n`);
  writeAll(2, `${END_MARK}\n`);
  // At once: what promises of the configuration wait for never happens, and so it cannot go on for ever.
  process.exit(0);
}

main();

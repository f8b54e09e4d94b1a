import type { Mistake } from "./mistake.ts";
import type { Shown } from "./run-mistake.ts";

const ROWS = 24;
const COLUMNS = 100;

/** What no message for people may have: folders of the engine or of this machine, frames of the runtime. */
const UNWANTED: readonly (readonly [string, RegExp])[] = [
  ["a frame of the runtime", /\bnode:internal|\(node:|^\s+at .*\bnative\b/m],
  ["a file of the engine", /\/opt\/floe\/|(?<![\w/])core\/[a-z]+\/|\/@floe/],
  ["a place that is none on the user's machine", /\/@flake/],
  ["a temporary path", /\/tmp\/|\/dev\/shm\//],
  ["a fault of Floe's own", /\[floe\.fault\]/],
  ["a value that nobody made a text of", /\[object |\bundefined\b.*:|\bNaN\b/],
];

/** What is wrong with a message, in words; none when it is as all of them have to be. */
export function checkShown(mistake: Mistake, { message, place, code }: Shown): string[] {
  const faults: string[] = [];
  const lines = message.split("\n");
  const first = lines.find((line) => /(^|: )error: /.test(line)) ?? "";
  if (place !== undefined) {
    if (!first.startsWith(`${place}: error: `)) faults.push(`begins not with "${place}: error: "`);
  } else {
    const names =
      mistake.names === undefined
        ? mistake.command.flatMap((word) => word.split(/[#=]|^[.][/]/)).filter((word) => word.length > 1)
        : [mistake.names];
    if (!first.startsWith("error: ") && mistake.names === undefined)
      faults.push("has a place, but the mistake lies in the command");
    if (!names.some((name) => first.includes(name))) faults.push(`its first line names none of ${names.join(", ")}`);
  }
  if (!/ \[[a-z0-9-]+\.[a-z0-9-]+\]$/.test(first)) faults.push("its first line has no code");
  const rows = lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / COLUMNS)), 0);
  if (rows > ROWS) faults.push(`takes ${rows} rows of ${COLUMNS} columns, more than a screen`);
  if (!lines.some((line) => line.startsWith("  hint: "))) faults.push("has no hint");
  for (const [what, pattern] of UNWANTED) {
    const found = pattern.exec(message);
    if (found !== null) faults.push(`has ${what}: ${found[0]}`);
  }
  const expected = mistake.exitCode ?? 1;
  if (code !== expected) faults.push(`ends with ${code}, expected ${expected}`);
  return faults;
}

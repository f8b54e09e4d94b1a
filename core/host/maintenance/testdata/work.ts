/**
 * Works on a store until it is killed; see `work`. Arguments: folder, slot, seed, and the folder with busybox or nothing. Without any
 * it ends.
 *
 * What it says goes to standard output, or to the file WORDS_TO, over the zeros that are in it: each line is on disk before the next
 * step begins, and nothing but the line is asked to be.
 */
import { constants, openSync, writeSync } from "node:fs";
import { work } from "../testing-work.ts";

const [root, slot, seed, tools] = process.argv.slice(2) as [string | undefined, string, string, string?];
const BLOCK_BYTES = 4096;

/** Whole blocks over what is there, so that the disk gets these and no more. */
function sayIn(file: string): (line: string) => void {
  const fd = openSync(file, constants.O_WRONLY | constants.O_DSYNC);
  let offset = 0;
  let text = "";
  return (line) => {
    text += `${line}\n`;
    const bytes = Buffer.alloc(Math.ceil(text.length / BLOCK_BYTES) * BLOCK_BYTES);
    bytes.write(text, "latin1");
    writeSync(fd, bytes, 0, bytes.length, offset);
    const full = Math.floor(text.length / BLOCK_BYTES) * BLOCK_BYTES;
    text = text.slice(full);
    offset += full;
  };
}

const place = process.env["WORDS_TO"];
if (root !== undefined) {
  const say = place === undefined ? (line: string) => void writeSync(1, `${line}\n`) : sayIn(place);
  await work({ root, slot, seed: Number(seed), tools, say });
}

/**
 * Where a process of the `floe` program starts. It turns on Node's compile cache before anything else is loaded:
 * start-up is most of the time that a small command takes.
 */
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { fileURLToPath } from "node:url";
import { Output } from "./output.ts";
import { isStale } from "./stale.ts";
import { VERSION } from "./version.ts";

const caches = process.env["XDG_CACHE_HOME"] || `${homedir()}/.cache`;
// In the user's own cache directory, not in the shared /tmp where others could plant code.
enableCompileCache(`${caches}/floe/compiled`);
const words = process.argv.slice(2);
const [, entry = ""] = process.argv;
if (entry.endsWith("/dist/floe.mjs") && isStale(entry)) {
  const source = fileURLToPath(import.meta.url);
  process.argv[1] = source;
  await import(source);
} else if (words.length === 1 && words[0] === "--version") {
  // Scripts ask often, and no command has to be loaded to answer.
  new Output("stdout").line(VERSION);
} else await import("./main.ts");

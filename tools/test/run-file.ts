/**
 * Run one test file, and say the name of each of its tests before it begins: the last name of a file that hangs is the test that does.
 *
 * Argument: the path of the file.
 */
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

const [file = ""] = process.argv.splice(2, 1);
process.argv[1] = file;

/** Where uvu begins a test. */
const BEGIN = "state.__test__ = test.name;";

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (!url.endsWith("/uvu/dist/index.mjs")) return loaded;
    const source = String(loaded.source);
    if (!source.includes(BEGIN)) throw new Error(`Cannot name tests as they begin: "${BEGIN}" is not in ${url}`);
    return { ...loaded, source: source.replace(BEGIN, `${BEGIN} write("\\n▸ " + test.name + "\\n  ");`) };
  },
});
await import(pathToFileURL(file).href);

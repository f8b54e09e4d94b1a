/**
 * Run one test file. Says the name of each of its tests before it begins: the last name of a file that hangs is the test that does. Shows
 * all of what a test throws, or the work before and after all tests.
 *
 * Argument: the path of the file.
 */
import { registerHooks } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [file = ""] = process.argv.splice(2, 1);
process.argv[1] = resolve(file);

/** What stands in uvu's source, and what stands there instead. */
const CHANGES: readonly (readonly [was: string, is: string])[] = [
  [
    "import { compare } from 'uvu/diff';",
    `import { compare } from 'uvu/diff'; import { showThrown } from ${JSON.stringify(import.meta.resolve("./show-thrown.ts"))};`,
  ],
  ["state.__test__ = test.name;", `state.__test__ = test.name; write("\\n▸ " + test.name + "\\n  ");`],
  // It takes whatever was thrown for an error whose details are a text, and what fails outside of its tests for nothing.
  [
    "function format(name, err, suite = '') {",
    `function format(name, err, suite = '') { if (err?.code !== "ERR_ASSERTION") return showThrown(name, err);`,
  ],
  [
    "} finally {\n\t\tstate.__test__ = '';",
    `} catch (err) { errors += format("before the tests", err); } finally { state.__test__ = '';`,
  ],
  [
    "for (hook of after) await hook(state);",
    `try { for (hook of after) await hook(state); } catch (err) { errors += format("after the tests", err); }`,
  ],
];

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (!url.endsWith("/uvu/dist/index.mjs")) return loaded;
    let source = String(loaded.source);
    for (const [was, is] of CHANGES) {
      if (!source.includes(was)) throw new Error(`Cannot change what ${url} prints: "${was}" is not in it`);
      source = source.replace(was, () => is);
    }
    return { ...loaded, source };
  },
});
await import(pathToFileURL(file).href);

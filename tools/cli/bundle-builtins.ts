/**
 * Node's own modules as the bundle asks for them.
 *
 * An `import` of one makes Node evaluate every getter it has, which loads the half of Node: 4 ms for `node:fs` alone, and 20 ms for
 * those of a command that asks the store one question. `process.getBuiltinModule` gives the same module as it is.
 */

/** What Node has loaded before our first line runs, or loads within a fraction of a millisecond. */
const AT_HAND = new Set(["events", "fs", "module", "os", "path", "sqlite", "timers", "url", "util"]);
/** Classes of which only new instances are made: a function that makes one does as well. */
const MADE_ONLY = new Set(["Worker"]);

const IMPORT = /^import (?!type\b)(?:(\w+)(?:, )?)?(?:\* as (\w+)|\{([^}]*)\})? ?from "(node:[^"]+)";$/gm;

/**
 * Replace the imports of Node's own modules in one of our sources. Functions of a module that takes time to load become such that
 * load it when they are first called.
 *
 * @param source TypeScript, as our formatter leaves it.
 */
export function replaceBuiltinImports(source: string): string {
  // It looks for what only the real functions have.
  const promisifies = source.includes("promisify");
  return source.replace(IMPORT, (_, whole: string | undefined, all: string | undefined, names = "", from: string) => {
    const load = `process.getBuiltinModule(${JSON.stringify(from)})`;
    const lines = [whole, all].filter((name) => name !== undefined).map((name) => `const ${name} = ${load};`);
    for (const text of (names as string).split(",").map((each) => each.trim())) {
      if (text === "" || text.startsWith("type ")) continue;
      const [name = "", own = name] = text.split(" as ");
      if (!promisifies && isLate(from, name)) lines.push(`function ${own}(...a) { return ${load}.${name}(...a); }`);
      else if (MADE_ONLY.has(name)) lines.push(`function ${own}(...a) { return new (${load}.${name})(...a); }`);
      else lines.push(`const { ${name}: ${own} } = ${load};`);
    }
    return lines.join(" ");
  });
}

/** A plain function of a module that need not be there from the start. */
function isLate(from: string, name: string): boolean {
  if (AT_HAND.has(from.slice("node:".length))) return false;
  const value = (process.getBuiltinModule(from) as Record<string, unknown> | undefined)?.[name];
  return typeof value === "function" && /^[a-z]/.test(name);
}

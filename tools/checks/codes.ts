import { type Check, type Finding, lineAt, readSource, sourceFilesEnding } from "./source-tree.ts";

const NEW_ERROR = /new CodedError\(\s*"([^"]+)"/g;

/** Every code that an error is made with is named by a test. Codes that are put together are not looked at. */
export const codesCheck: Check = {
  name: "codes",
  run() {
    const files = sourceFilesEnding(".ts");
    const named = new Set(files.filter(isTest).flatMap((file) => [...namedCodes(readSource(file))]));
    return files.filter(isProduct).flatMap((file) => checkCodes(file, readSource(file), named));
  },
};

function isTest(file: string): boolean {
  return /\.(test|contract)\.ts$/.test(file);
}

/** What is no test, nor part of one: the programs that try our readers are tests themselves. */
function isProduct(file: string): boolean {
  if (isTest(file) || /\/(testdata\/|testing)/.test(file)) return false;
  return /^(core|tools|vm-tests)\//.test(file) && !/^tools\/(fuzz|conformance)\//.test(file);
}

/** Codes that the text of a test names: as a text, in brackets as people see them, or in a regular expression. */
export function namedCodes(text: string): Set<string> {
  const code = text.replaceAll(/^\s*(\/\/|\/?\*).*$|\s\/\/ .*$/gm, "");
  const found = new Set<string>();
  for (const [, name = ""] of code.matchAll(/["'`]([\w-]+(?:\.[\w-]+)+)["'`]/g)) found.add(name);
  for (const [, name = ""] of code.matchAll(/\[([\w-]+(?:\.[\w-]+)+)\\?\]/g)) found.add(name);
  for (const [name] of code.matchAll(/[\w-]+(?:\\\.[\w-]+)+/g)) found.add(name.replaceAll("\\", ""));
  return found;
}

export function checkCodes(file: string, text: string, named: ReadonlySet<string>): Finding[] {
  return [...text.matchAll(NEW_ERROR)]
    .filter(([, code = ""]) => !named.has(code))
    .map((match) => ({
      file,
      line: lineAt(text, match.index),
      message: `no test names the error "${match[1]}"`,
      hint: "Write one that sees the code of the error; if nothing leads to it, take it out.",
    }));
}

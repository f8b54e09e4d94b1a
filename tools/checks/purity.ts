import { type Check, type Finding, lineAt, readSource, sourceFilesEnding } from "./source-tree.ts";

const NODE_IMPORT = /(?:from|import)\s*\(?\s*["'](node:[^"']+)["']/g;

/**
 * Code that is loaded inside the evaluation may import nothing of Node: there is nothing of the machine in there.
 * (Global names such as `process` are caught by the type check of tsconfig.pure.json.)
 */
export const purityCheck: Check = {
  name: "purity",
  run: () =>
    sourceFilesEnding(".ts")
      .filter(isPure)
      .flatMap((file) => checkPurity(file, readSource(file))),
};

/** Programs that people run beside the packages they are about. */
const SCRIPTS = ["pkgs/generate.ts", "pkgs/bootstrap/refresh-pins.ts"];

/** Whether a file is loaded inside the evaluation. */
export function isPure(file: string): boolean {
  if (/(\.(test|contract)|\/testing[^/]*)\.ts$/.test(file) || file.includes("/testdata/")) return false;
  if (SCRIPTS.includes(file)) return false;
  if (file === "flake.config.ts") return true;
  if (/^vm-tests\/(driver|qemu-wrapper)\//.test(file) || file.startsWith("core/host/")) return false;
  return /^(core|pkgs|modules|vm-tests)\//.test(file) && !file.startsWith("pkgs/build-side/");
}

export function checkPurity(file: string, text: string): Finding[] {
  const findings: Finding[] = [];
  for (const match of text.matchAll(NODE_IMPORT)) {
    // An evaluation has these of its own, for these alone.
    if (file.startsWith("core/base/") && match[1] === "node:crypto") continue;
    if (file === "core/flake/import-sync.ts" && match[1] === "node:module") continue;
    findings.push({
      file,
      line: lineAt(text, match.index),
      message: `"${match[1]}" is imported where the evaluation runs`,
      hint: "Declare what is needed as an interface and implement it in core/host.",
    });
  }
  const topLevelAwait = /^await\s|^(?:export )?const [^=\n]+= await\s/m.exec(text);
  if (topLevelAwait !== null) {
    findings.push({
      file,
      line: lineAt(text, topLevelAwait.index),
      message: "a module waits while it is loaded",
      hint: "Modules of the evaluation are loaded in one step; do the work inside a function.",
    });
  }
  return findings;
}

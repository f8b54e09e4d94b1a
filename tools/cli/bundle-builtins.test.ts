import { globSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { replaceBuiltinImports } from "./bundle-builtins.ts";

/** What the names of a source are, once its imports are replaced. */
function valuesOf(imports: string, names: string): unknown[] {
  const code = stripTypeScriptTypes(replaceBuiltinImports(imports));
  return new Function(`${code}\nreturn [${names}];`)() as unknown[];
}

test("replaceBuiltinImports() gives functions, classes, constants and whole modules", () => {
  const imports = [
    'import fs, { constants, type Stats, readFileSync as read } from "node:fs";',
    'import * as path from "node:path";',
    'import type { Socket } from "node:net";',
    "import {",
    "  createHash,",
    '} from "node:crypto";',
  ].join("\n");
  const [whole, constants, read, path, createHash] = valuesOf(imports, "fs, constants, read, path, createHash");
  const real = process.getBuiltinModule("node:fs");
  assert.is(whole, real);
  assert.is(constants, real.constants);
  assert.is(read, real.readFileSync);
  assert.is((path as typeof import("node:path")).join("a", "b"), "a/b");
  // coreutils: printf abc | md5sum
  const hash = (createHash as typeof import("node:crypto").createHash)("md5").update("abc").digest("hex");
  assert.is(hash, "900150983cd24fb0d6963f7d28e17f72");
});

test("replaceBuiltinImports() makes instances of a class that is loaded late", async () => {
  const { Worker } = process.getBuiltinModule("node:worker_threads");
  const [Late] = valuesOf('import { Worker } from "node:worker_threads";', "Worker") as [typeof Worker];
  const worker = new Late("", { eval: true });
  assert.ok(worker instanceof Worker);
  await worker.terminate();
});

test("replaceBuiltinImports() leaves functions as they are for util.promisify", () => {
  const imports = 'import { execFile } from "node:child_process";\nimport { promisify } from "node:util";';
  const [execFile] = valuesOf(imports, "execFile, promisify");
  assert.is(execFile, process.getBuiltinModule("node:child_process").execFile);
});

test("no source of the program keeps an import of one of Node's own modules", () => {
  const root = join(import.meta.dirname, "../..");
  const files = globSync("{core,tools/cli}/**/*.ts", { cwd: root }).filter(
    (file) => !/\.(test|contract)\.ts$/.test(file),
  );
  assert.ok(files.length > 400);
  const kept = files.filter((file) =>
    /^(import (?!type\b)[^"]*|\} )from "node:/m.test(replaceBuiltinImports(readFileSync(join(root, file), "utf8"))),
  );
  assert.equal(kept, []);
});

test.run();

import { existsSync, readFileSync } from "node:fs";
import { CodedError } from "../../base/index.ts";
import { findEngine } from "../evaluator/index.ts";

/** The TypeScript that comes with Floe. */
export interface Compiler {
  /** Its program, which takes the flags of `tsc`. */
  readonly program: string;
  /** Folder of its package. */
  readonly folder: string;
  readonly version: string;
}

/**
 * Find the TypeScript compiler of this Floe. Its program is called itself, since its launcher would start another Node.
 *
 * @throws {CodedError} `types.no-compiler`
 */
export function findCompiler(engine: string = findEngine()): Compiler {
  const modules = `${engine}/node_modules`;
  const program = `${modules}/@typescript/typescript-linux-${process.arch}/lib/tsc`;
  if (!existsSync(program)) {
    throw new CodedError("types.no-compiler", `Cannot find the TypeScript compiler of Floe: there is no "${program}"`, {
      hint: "Install what Floe needs with: npm ci",
    });
  }
  const folder = `${modules}/typescript`;
  const { version } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8")) as { readonly version: string };
  return { program, folder, version };
}

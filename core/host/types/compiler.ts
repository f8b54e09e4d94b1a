import { existsSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
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
 * Find the TypeScript compiler of this Floe, in `node_modules` of its folder or of one above, where npm puts what several packages
 * share. Its program is called itself, since its launcher would start another Node.
 *
 * @throws {CodedError} `types.no-compiler`
 */
export function findCompiler(engine: string = findEngine()): Compiler {
  for (let above = engine; ; above = dirname(above)) {
    const program = `${above}/node_modules/@typescript/typescript-linux-${process.arch}/lib/tsc`;
    if (existsSync(program)) {
      const folder = `${above}/node_modules/typescript`;
      const { version } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8")) as { readonly version: string };
      return { program, folder, version };
    }
    if (above === dirname(above)) break;
  }
  throw new CodedError(
    "types.no-compiler",
    `Cannot find the TypeScript compiler of Floe: there is none for ${process.arch} in "${engine}/node_modules"`,
    { hint: "Install what Floe needs with `npm ci`; `floe flake check --no-types` leaves types out." },
  );
}

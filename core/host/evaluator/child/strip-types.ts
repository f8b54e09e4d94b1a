import { createRequire, stripTypeScriptTypes } from "node:module";
import { setFlagsFromString } from "node:v8";
import { bundleFiles } from "../bundle-files.ts";

/** What the library throws. */
interface StripFailure {
  readonly code?: string;
  readonly message: string;
  readonly filename: string;
  readonly startLine: number;
  readonly snippet: string;
}

interface Library {
  transformSync(text: string, options: { readonly mode: "strip-only"; readonly filename: string }): { code: string };
}

/** Errors of Node by the code that the library gives them. */
const NODE_CODES: Readonly<Record<string, string>> = {
  UnsupportedSyntax: "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX",
  InvalidSyntax: "ERR_INVALID_TYPESCRIPT_SYNTAX",
};

/** Blanks out the types of a module: every position stays what it was. */
export type StripTypes = (text: string) => string;

/**
 * The library that Node has itself, from the bundle of the engine: Node reads its own out of 4 MB of text, which takes 80 ms, and this
 * one takes 10. Without a bundle, or with one for another Node, it is Node's.
 *
 * What it makes throws what `stripTypeScriptTypes` of Node does, with the excerpt in the `stack`.
 *
 * @param engine The folder of the engine.
 */
export function makeStripTypes(engine: string): StripTypes {
  const library = loadLibrary(bundleFiles(engine).stripper);
  if (library === undefined) return (text) => stripTypeScriptTypes(text, { mode: "strip" });
  return (text) => {
    try {
      return library.transformSync(text, { mode: "strip-only", filename: "" }).code;
    } catch (error) {
      throw isFailure(error) ? asNodeSays(error) : error;
    }
  };
}

function loadLibrary(file: string): Library | undefined {
  // Of its machine code a small part is used. Only while it is loaded: what is compiled under other flags V8 does not take later.
  setFlagsFromString("--wasm-lazy-validation");
  try {
    return createRequire(file)(file) as Library;
  } catch {
    // Where there is no folder of bundles it is not among those that may be read, and asking is refused.
    return undefined;
  } finally {
    setFlagsFromString("--no-wasm-lazy-validation");
  }
}

function isFailure(error: unknown): error is StripFailure {
  return Object.hasOwn(NODE_CODES, String((error as Partial<StripFailure> | null)?.code));
}

function asNodeSays({ code = "", message, filename, startLine, snippet }: StripFailure): Error {
  const error = Object.assign(new SyntaxError(message), { code: NODE_CODES[code] });
  error.stack = `${filename}:${startLine}\n${snippet}\n${error.stack}`;
  return error;
}

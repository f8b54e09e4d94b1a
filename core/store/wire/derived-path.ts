import { CodedError, sortedText } from "../../base/index.ts";
import { isDerivationPath, parseStorePath, STORE_DIRECTORY, type StorePath } from "../store-path.ts";

/** What a client asks for: a store object, or outputs of a derivation. */
export type DerivedPath =
  | { readonly kind: "object"; readonly path: StorePath }
  | { readonly kind: "outputs"; readonly drvPath: StorePath; readonly outputs: "all" | readonly string[] };

const OUTPUT_NAME = /^[0-9A-Za-z+._?=-]+$/;

/** `path`, `drv!out,dev` or `drv!*`. */
export function formatDerivedPath(wanted: DerivedPath): string {
  if (wanted.kind === "object") return wanted.path;
  return `${wanted.drvPath}!${wanted.outputs === "all" ? "*" : sortedText(new Set(wanted.outputs)).join(",")}`;
}

/** @throws {CodedError} `derived-path.malformed`, or those of `parseStorePath`. */
export function parseDerivedPath(text: string, storeDirectory: string = STORE_DIRECTORY): DerivedPath {
  const mark = text.indexOf("!");
  if (mark < 0) return { kind: "object", path: parseStorePath(text, storeDirectory) };
  const drvPath = parseStorePath(text.slice(0, mark), storeDirectory);
  const names = text.slice(mark + 1);
  if (names === "*") return { kind: "outputs", drvPath, outputs: "all" };
  const outputs = names.split(",");
  const wrong = outputs.find((name) => !OUTPUT_NAME.test(name));
  if (wrong === undefined && isDerivationPath(drvPath))
    return { kind: "outputs", drvPath, outputs: sortedText(new Set(outputs)) };
  throw new CodedError(
    "derived-path.malformed",
    `Cannot read "${text}" as something to build: expected a ".drv" path, "!" and names of outputs or "*"`,
  );
}

/**
 * The older form, of worker protocols before 1.30 and the serve protocol: a `.drv` alone means all its outputs.
 *
 * @throws {CodedError} as {@link parseDerivedPath}
 */
export function parsePathWithOutputs(text: string, storeDirectory: string = STORE_DIRECTORY): DerivedPath {
  const wanted = parseDerivedPath(text, storeDirectory);
  if (wanted.kind === "outputs" || !isDerivationPath(wanted.path)) return wanted;
  return { kind: "outputs", drvPath: wanted.path, outputs: "all" };
}

/** The inverse of {@link parsePathWithOutputs}. */
export function formatPathWithOutputs(wanted: DerivedPath): string {
  return wanted.kind === "outputs" && wanted.outputs === "all" ? wanted.drvPath : formatDerivedPath(wanted);
}

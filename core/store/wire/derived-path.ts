import { CodedError, sortedText } from "../../base/index.ts";
import { isDerivationPath, parseStorePath, STORE_DIRECTORY, type StorePath } from "../store-path.ts";

/** What a client asks for: a store object, or outputs of a derivation. */
export type DerivedPath =
  | { readonly kind: "object"; readonly path: StorePath }
  | {
      readonly kind: "outputs";
      readonly drvPath: StorePath;
      /** Names of outputs that are derivations, from `drvPath` on: the outputs are those of the last. Absent: of `drvPath`. */
      readonly through?: readonly string[];
      readonly outputs: "all" | readonly string[];
    };

const OUTPUT_NAME = /^[0-9A-Za-z+._?=-]+$/;

/** How many outputs may be on the way. */
const MOST_NAMES = 100;

/** `path`, `drv!out,dev` or `drv!*`; `drv!out!dev` for an output of an output. */
export function formatDerivedPath(wanted: DerivedPath): string {
  if (wanted.kind === "object") return wanted.path;
  const start = [wanted.drvPath, ...(wanted.through ?? [])].join("!");
  return `${start}!${wanted.outputs === "all" ? "*" : sortedText(new Set(wanted.outputs)).join(",")}`;
}

/** @throws {CodedError} `derived-path.malformed`, or those of `parseStorePath`. */
export function parseDerivedPath(text: string, storeDirectory: string = STORE_DIRECTORY): DerivedPath {
  const mark = text.indexOf("!");
  if (mark < 0) return { kind: "object", path: parseStorePath(text, storeDirectory) };
  const drvPath = parseStorePath(text.slice(0, mark), storeDirectory);
  const steps = text.slice(mark + 1).split("!");
  const last = steps.pop() as string;
  const outputs = last === "*" ? [] : last.split(",");
  const wrong = [...steps, ...outputs].find((name) => !OUTPUT_NAME.test(name));
  if (wrong === undefined && isDerivationPath(drvPath) && steps.length <= MOST_NAMES) {
    const way = steps.length === 0 ? {} : { through: steps };
    return { kind: "outputs", drvPath, ...way, outputs: last === "*" ? "all" : sortedText(new Set(outputs)) };
  }
  throw new CodedError(
    "derived-path.malformed",
    `Cannot read "${text}" as something to build: expected a ".drv" path, "!" and names of outputs or "*", perhaps after more names that end in "!"`,
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
  const isWhole = wanted.kind === "outputs" && wanted.outputs === "all" && wanted.through === undefined;
  return isWhole ? wanted.drvPath : formatDerivedPath(wanted);
}

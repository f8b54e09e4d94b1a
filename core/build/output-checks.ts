import { CodedError, type Diagnostic, sortedText } from "../base/index.ts";
import type { Derivation } from "../derivation/index.ts";
import { type PathInfo, type StorePath, tryParseStorePath } from "../store/index.ts";
import { attributesOf } from "./structured-attributes.ts";

/** The rules one output has to obey; an absent rule allows everything. */
export interface OutputRules {
  readonly allowedReferences?: readonly string[];
  readonly allowedRequisites?: readonly string[];
  readonly disallowedReferences?: readonly string[];
  readonly disallowedRequisites?: readonly string[];
  /** Largest NAR size of the output, in bytes. */
  readonly maxSize?: number;
  /** Largest sum of NAR sizes over the closure, in bytes. */
  readonly maxClosureSize?: number;
  /** Self references do not count as requisites. */
  readonly ignoreSelfRefs: boolean;
}

const LIST_RULES = ["allowedReferences", "allowedRequisites", "disallowedReferences", "disallowedRequisites"] as const;

/**
 * The rules a derivation states for one output: plain variables hold for each output; with structured attributes they
 * stand below `outputChecks.<output>`, where sizes can be limited too.
 *
 * @throws {CodedError} `build.bad-rule` for a rule of another shape.
 *
 * Source: Nix manual, "Advanced attributes".
 */
export function outputRules(drv: Derivation, output: string): OutputRules {
  const attributes = attributesOf(drv);
  const rules: Record<string, unknown> = {};
  if (attributes === undefined) {
    for (const name of LIST_RULES) {
      const text = drv.env[name];
      if (text !== undefined) rules[name] = text.split(/[ \t\n\r]+/).filter((word) => word !== "");
    }
    return { ...rules, ignoreSelfRefs: true };
  }
  const checks = objectOf(drv, "outputChecks", attributes["outputChecks"]);
  const stated = objectOf(drv, `outputChecks.${output}`, checks[output]);
  for (const name of LIST_RULES) {
    const list = stated[name];
    if (list === undefined || list === null) continue;
    if (!Array.isArray(list) || !list.every((word) => typeof word === "string"))
      throw badRule(drv, `outputChecks.${output}.${name}`, "a list of texts");
    rules[name] = list;
  }
  for (const name of ["maxSize", "maxClosureSize"]) {
    const size = stated[name];
    if (size === undefined || size === null) continue;
    if (typeof size !== "number" || !(size >= 0))
      throw badRule(drv, `outputChecks.${output}.${name}`, "a number of bytes");
    rules[name] = size;
  }
  const { ignoreSelfRefs = false } = stated;
  if (typeof ignoreSelfRefs !== "boolean") throw badRule(drv, `outputChecks.${output}.ignoreSelfRefs`, "true or false");
  return { ...rules, ignoreSelfRefs };
}

function objectOf(drv: Derivation, name: string, value: unknown): Readonly<Record<string, unknown>> {
  if (value === undefined || value === null) return {};
  if (typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  throw badRule(drv, name, "an object");
}

/** A rule that cannot be understood must not pass as one that allows everything. */
function badRule(drv: Derivation, name: string, expected: string): CodedError {
  return new CodedError("build.bad-rule", `Cannot check "${name}" of "${drv.name}": expected ${expected}`, {
    exitCode: 100,
  });
}

/**
 * Whether what an output mentions is not to count as references: `unsafeDiscardReferences.<output>` of structured attributes, for
 * images and the like that hold store paths and are used without them.
 *
 * @throws {CodedError} `build.bad-rule` for one that is neither true nor false.
 *
 * Source: Nix manual, "Advanced attributes".
 */
export function discardsReferences(drv: Derivation, output: string): boolean {
  const attributes = attributesOf(drv);
  const stated = objectOf(drv, "unsafeDiscardReferences", attributes?.["unsafeDiscardReferences"])[output];
  if (stated === undefined || stated === null || stated === false) return false;
  if (stated === true) return true;
  throw badRule(drv, `unsafeDiscardReferences.${output}`, "true or false");
}

export interface CheckOutputsOptions {
  readonly drv: Derivation;
  /** What was built, by output name. */
  readonly built: Readonly<Record<string, PathInfo>>;
  /** Facts about paths that were valid before the build. */
  readonly infoOf: (path: StorePath) => PathInfo | undefined;
}

/** Check every output against its rules. Codes: `build.forbidden-reference`, `build.too-large`, `build.bad-rule`. */
export function checkOutputs({ drv, built, infoOf }: CheckOutputsOptions): Diagnostic[] {
  const faults: Diagnostic[] = [];
  const fresh = new Map(Object.values(built).map((info) => [info.path, info]));
  const closureOf = (start: StorePath): PathInfo[] => {
    const seen = new Map<StorePath, PathInfo>();
    const queue = [start];
    for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
      if (seen.has(path)) continue;
      const info = fresh.get(path) ?? infoOf(path);
      if (info === undefined) continue;
      seen.set(path, info);
      queue.push(...info.references);
    }
    return [...seen.values()];
  };

  for (const [name, info] of Object.entries(built)) {
    const rules = outputRules(drv, name);
    if (rules.maxSize !== undefined && info.narSize > rules.maxSize) {
      faults.push({
        code: "build.too-large",
        message: `Cannot accept output "${info.path}": it has ${info.narSize} bytes, at most ${rules.maxSize} are allowed`,
      });
    }
    const closure =
      rules.maxClosureSize === undefined ? 0 : closureOf(info.path).reduce((sum, each) => sum + each.narSize, 0);
    if (rules.maxClosureSize !== undefined && closure > rules.maxClosureSize) {
      faults.push({
        code: "build.too-large",
        message: `Cannot accept output "${info.path}": its closure has ${closure} bytes, at most ${rules.maxClosureSize} are allowed`,
      });
    }
    for (const rule of LIST_RULES) {
      const stated = rules[rule];
      if (stated === undefined) continue;
      const listed = new Set<string>();
      for (const word of stated) {
        const path = tryParseStorePath(word) ?? drv.outputs[word]?.path;
        if (path === undefined) {
          faults.push({
            code: "build.bad-rule",
            message: `Cannot check "${rule}" of "${drv.name}": "${word}" is neither a store path nor an output of this derivation`,
          });
        } else listed.add(path);
      }
      const recursive = rule.endsWith("Requisites");
      const used = new Set<string>(recursive ? closureOf(info.path).map((each) => each.path) : info.references);
      if (recursive && rules.ignoreSelfRefs) used.delete(info.path);
      const bad = sortedText([...used].filter((path) => listed.has(path) !== rule.startsWith("allowed")));
      if (bad.length > 0) {
        faults.push({
          code: "build.forbidden-reference",
          message: `Cannot accept output "${info.path}": its ${recursive ? "closure" : "references"} may not hold ${bad.join(", ")} ("${rule}")`,
          hint: `Find the file that holds the path, for instance with \`grep -rl ${bad[0]?.slice(11, 43)}\` in a build kept by --keep-failed.`,
        });
      }
    }
  }
  return faults;
}

import { type Diagnostic, didYouMean, raise, type SourceLocation } from "../base/index.ts";
import { PLATFORM_NAMES } from "./platform.ts";
import { LICENSES } from "./spdx.ts";

/** What people and programs may want to know about a package before it is built. */
export interface Meta {
  /** One line without a final period and without the package's name in front: `Command-line tool for transferring data`. */
  readonly summary: string;
  /** Absolute http(s) address. */
  readonly homepage: string;
  /** SPDX expression: `MIT`, `GPL-2.0-only WITH Linux-syscall-note`, `MIT OR Apache-2.0`. */
  readonly license: string;
  /** Systems it runs on. Default all. */
  readonly platforms: readonly string[];
  /** File in `bin` that `floe run` starts. Default none. */
  readonly mainProgram?: string;
}

/** Descriptive fields of a package, beside the fields that say how it is built. */
export interface MetaAttributes {
  readonly summary: string;
  readonly homepage: string;
  readonly license: string;
  readonly platforms?: readonly string[];
  readonly mainProgram?: string;
}

/**
 * Take the descriptive fields out of a package's attributes and check them.
 *
 * @throws {CodedError} `package.meta`, listing every fault, at the package's own line.
 */
export function makeMeta(name: string, attributes: MetaAttributes, place: () => SourceLocation | undefined): Meta {
  const faults = checkMeta(name, attributes);
  if (faults.length > 0) {
    const at = place();
    raise(faults.map((diagnostic) => ({ ...diagnostic, ...(at === undefined ? {} : { at }) })));
  }
  const { summary, homepage, license, platforms = PLATFORM_NAMES, mainProgram } = attributes;
  return { summary, homepage, license, platforms, ...(mainProgram === undefined ? {} : { mainProgram }) };
}

function checkMeta(
  name: string,
  { summary, homepage, license, platforms, mainProgram }: Partial<MetaAttributes>,
): Diagnostic[] {
  const faults: Diagnostic[] = [];
  const fault = (field: string, problem: string, hint?: string): void => {
    faults.push({
      code: "package.meta",
      message: `Cannot describe the package "${name}": its ${field} ${problem}`,
      ...(hint === undefined ? {} : { hint }),
    });
  };
  if (typeof summary !== "string" || summary === "")
    fault(
      "summary",
      "is missing, expected one line that says what it is for",
      'Write: summary: "Command-line tool for transferring data",',
    );
  else if (summary.endsWith(".") || summary.includes("\n") || summary.length > 100)
    fault("summary", `is "${summary}", expected one line of at most 100 characters without a final period`);
  if (typeof homepage !== "string" || !/^https?:\/\/[^\s/]+(\/\S*)?$/.test(homepage))
    fault("homepage", `is "${homepage ?? ""}", expected an http(s) address`, 'Write: homepage: "https://example.org",');
  if (typeof license !== "string")
    fault("license", "is missing, expected an SPDX expression", 'Write: license: "MIT",');
  else for (const [problem, hint] of checkLicense(license)) fault("license", problem, hint);
  for (const system of platforms ?? []) {
    if (!PLATFORM_NAMES.includes(system))
      fault(
        "platforms",
        `name "${system}", expected some of ${PLATFORM_NAMES.join(", ")}`,
        didYouMean(system, PLATFORM_NAMES),
      );
  }
  if (mainProgram !== undefined && !/^[^\s/]+$/.test(mainProgram))
    fault("mainProgram", `is "${mainProgram}", expected the name of a file in bin`);
  return faults;
}

/** `ID [WITH EXCEPTION] [AND|OR …]`, with parentheses. */
function* checkLicense(expression: string): Iterable<[problem: string, hint?: string]> {
  const words = expression.replace(/[()]/g, " ").trim().split(/\s+/);
  for (const [i, word] of words.entries()) {
    const connective = word === "AND" || word === "OR" || word === "WITH";
    if (connective !== (i % 2 === 1))
      return yield [`is "${expression}", expected an SPDX expression such as "MIT" or "MIT OR Apache-2.0"`];
    if (connective || LICENSES.has(word)) continue;
    yield [
      `names "${word}", which is no SPDX identifier known here`,
      didYouMean(word, LICENSES) ?? "Add it to core/package/spdx.ts when it is on the SPDX list.",
    ];
  }
  if (words.length % 2 === 0)
    yield [`is "${expression}", expected an SPDX expression such as "MIT" or "MIT OR Apache-2.0"`];
}

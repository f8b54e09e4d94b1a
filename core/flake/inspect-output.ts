import { CodedError } from "../base/index.ts";
import { formatAttribute } from "./attribute.ts";
import { findOutputKind, type OutputType } from "./output-kinds.ts";

/** What people are told of one output. */
export interface InspectedOutput {
  readonly type: OutputType;
  readonly name?: string;
  readonly description?: string;
  /** Of a machine test: what its machines can be. */
  readonly platforms?: readonly string[];
  /** Of a machine test: words to choose it by. */
  readonly tags?: readonly string[];
}

/**
 * Look whether a member of the outputs is what its place promises, and take what is told of it. Nothing is instantiated.
 *
 * @throws {CodedError} `flake.output-malformed`, and whatever the member raises when it is looked at.
 */
export function inspectOutput(path: readonly string[], value: unknown): InspectedOutput {
  const type = findOutputKind(path[0] ?? "")?.type ?? "unknown";
  const malformed = (found: string, expected: string, hint?: string): CodedError =>
    new CodedError(
      "flake.output-malformed",
      `Cannot use the output "${formatAttribute(path)}": found ${found}, expected ${expected}`,
      { hint },
    );
  const expectThat = (holds: boolean, expected: string, hint?: string): void => {
    if (!holds) throw malformed(kindOfValue(value), expected, hint);
  };
  const about = fieldsOf(value);
  switch (type) {
    case "package":
    case "check":
    case "dev-shell":
    case "formatter":
      expectThat(isBuildable(value), "a package or a derivation", HINTS[type]);
      return { type, ...named(about) };
    case "app": {
      expectThat(about.type === "app", 'an app, { type: "app", program }', HINTS.app);
      const { program } = about;
      if (typeof program !== "string") throw malformed(`the program ${kindOfValue(program)}`, "a text", HINTS.app);
      if (!/^\/nix\/store\/[0-9a-z]{32}-[^/]+(\/.*)?$/s.test(program))
        throw malformed(`the program "${program}"`, "a path in a package", HINTS.app);
      return { type, name: program.slice(program.lastIndexOf("/") + 1), ...described(about) };
    }
    case "overlay":
      expectThat(about.kind === "overlay", "what defineOverlay() gives");
      return { type, ...described(about) };
    case "module":
      for (const module of Array.isArray(value) ? value : [value])
        if (fieldsOf(module).kind !== "module")
          throw malformed(kindOfValue(module), "what defineModule() gives, or a list of such");
      return { type, name: Array.isArray(value) ? countOf(value.length, "module") : textOf(about.key) };
    case "system":
      expectThat(about.kind === "system", "what makeSystem() gives");
      return { type, ...named(about) };
    case "home":
      expectThat(
        about.kind === "home" && isBuildable(about.activation),
        'a home, { kind: "home", name, activation } with a derivation that activates it',
      );
      return { type, ...named(about) };
    case "vm-test":
      expectThat(about.type === "vmTest", "what vmTest() gives");
      return { type, ...named(about), ...listOf(about, "platforms"), ...listOf(about, "tags") };
    case "template":
      expectThat(kindOfValue(value) === "an object", "a template, { path, description }", HINTS.template);
      if (typeof about.path !== "string" && fieldsOf(about.path).kind !== "local-source")
        throw malformed(`the path ${kindOfValue(about.path)}`, "a folder of the flake", HINTS.template);
      for (const key of ["description", "welcome"] as const)
        if (typeof about[key] !== "string" && (key === "description" || about[key] !== undefined))
          throw malformed(`the ${key} ${kindOfValue(about[key])}`, "a text", HINTS.template);
      return { type, ...described(about) };
    case "unknown":
      return { type, name: kindOfValue(value) };
  }
}

const HINTS = {
  package: undefined,
  check: "A check is a derivation whose builder fails when something is wrong.",
  "dev-shell": "Write: default: pkgs.devShell({ packages: [pkgs.hello] })",
  formatter: 'Write: formatter: { "x86_64-linux": the package whose main program formats files }',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is code to be pasted.
  app: 'Write: { type: "app", program: `${pkgs.hello}/bin/hello` }',
  template: 'Write: { path: local("./templates/default"), description: "…" }',
} as const;

const FIELDS = [
  "kind",
  "type",
  "name",
  "version",
  "meta",
  "description",
  "summary",
  "key",
  "program",
  "path",
  "welcome",
  "activation",
  "platforms",
  "tags",
] as const;

type Fields = { readonly [name in (typeof FIELDS)[number] | "drvPath" | "outPath"]?: unknown };

/** What a value says of itself. A package set has an error for every name that is not there, so only what is there is asked for. */
function fieldsOf(value: unknown, names: readonly (keyof Fields)[] = FIELDS): Fields {
  if (typeof value !== "object" || value === null) return {};
  const fields: { -readonly [name in keyof Fields]: unknown } = {};
  for (const name of names) if (Object.hasOwn(value, name)) fields[name] = (value as Fields)[name];
  return fields;
}

function isBuildable(value: unknown): boolean {
  const { kind } = fieldsOf(value, ["kind"]);
  // These say so themselves; asking for their derivation would make it.
  if (kind === "package" || kind === "system") return true;
  const { drvPath, outPath } = fieldsOf(value, ["drvPath", "outPath"]);
  return typeof drvPath === "string" && typeof outPath === "string";
}

function named(about: Fields): Pick<InspectedOutput, "name" | "description"> {
  const name = textOf(about.name);
  const version = textOf(about.version);
  const whole = version === "" || name.endsWith(version) ? name : `${name}-${version}`;
  return { ...(whole === "" ? {} : { name: whole }), ...described(about) };
}

function described({ description, summary, meta }: Fields): Pick<InspectedOutput, "description"> {
  const { summary: inMeta } = fieldsOf(meta, ["summary"]);
  const text = [description, summary, inMeta].find((each) => typeof each === "string");
  return text === undefined ? {} : { description: text as string };
}

function listOf(about: Fields, name: "platforms" | "tags"): Pick<InspectedOutput, "platforms" | "tags"> {
  const list = about[name];
  return Array.isArray(list) ? { [name]: list as readonly string[] } : {};
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** A value in a few words: `a number`, `a package`, `nothing`. */
export function kindOfValue(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value !== "object") return typeof value === "string" ? "a text" : `a ${typeof value}`;
  const { kind, type } = fieldsOf(value, ["kind", "type"]);
  const known = KNOWN.find(([name]) => name === kind || name === type);
  if (known !== undefined) return known[1];
  return typeof fieldsOf(value, ["drvPath"]).drvPath === "string" ? "a derivation" : "an object";
}

const KNOWN: readonly (readonly [string, string])[] = [
  ["package", "a package"],
  ["package-definition", "what definePackage() gives, which no set has made yet"],
  ["system", "a system"],
  ["home", "a home"],
  ["module", "a module"],
  ["overlay", "an overlay"],
  ["local-source", "a folder or file"],
  ["app", "an app"],
  ["vmTest", "a VM test"],
];

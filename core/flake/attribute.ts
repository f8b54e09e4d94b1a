import { CodedError } from "../base/index.ts";
import { OUTPUT_KINDS } from "./output-kinds.ts";

/** Outputs whose members lie below a platform and a name. */
const BY_PLATFORM: readonly string[] = Object.keys(OUTPUT_KINDS).filter(
  (name) => OUTPUT_KINDS[name]?.levels.length === 2,
);

/** Names that begin a full path: nothing is put before them first. */
const OUTPUT_NAMES: readonly string[] = Object.keys(OUTPUT_KINDS);

/** Order in which a short name is looked for; checks come last, because they are often named after what they check. */
const LOOKUP_ORDER: readonly string[] = ["packages", "systems", "vmTests", "apps", "checks"];

/**
 * Split an attribute path at its dots; a part in double quotes may hold dots itself.
 *
 * @throws {CodedError} `attribute.malformed`
 */
export function parseAttribute(text: string): string[] {
  if (text === "") return [];
  const parts: string[] = [];
  const part = /"([^"]*)"|([^."\s]+)/y;
  for (let at = 0; ; at = part.lastIndex + 1) {
    part.lastIndex = at;
    const match = part.exec(text);
    if (match === null) {
      throw new CodedError(
        "attribute.malformed",
        `Cannot read "${text}" as an attribute path: expected a name at column ${at + 1}`,
        {
          hint: 'Write names with dots between them; put a name that has dots itself in quotes: packages.x86_64-linux."a.b"',
        },
      );
    }
    parts.push(match[1] ?? (match[2] as string));
    if (part.lastIndex === text.length) return parts;
    if (text[part.lastIndex] !== ".") {
      throw new CodedError(
        "attribute.malformed",
        `Cannot read "${text}" as an attribute path: expected "." at column ${part.lastIndex + 1}`,
      );
    }
  }
}

/** The inverse of {@link parseAttribute}. */
export function formatAttribute(path: readonly string[]): string {
  return path.map((part) => (part === "" || /[."\s]/.test(part) ? `"${part}"` : part)).join(".");
}

export interface AttributeCandidatesOptions {
  /** The platform whose packages a short name means, as `x86_64-linux`. */
  readonly platform: string;
  /** Outputs to look into, in this order. Default: packages, systems, vmTests, apps, checks. */
  readonly kinds?: readonly string[];
}

/**
 * The places where an attribute a user wrote is looked for, in order: `hello` is
 * `packages.<platform>.hello`, …, `systems.hello`, …, and at last `hello` itself. Nothing at all means `default`.
 */
export function attributeCandidates(text: string, options: AttributeCandidatesOptions): string[][] {
  const path = text === "" ? ["default"] : parseAttribute(text);
  const kinds = options.kinds ?? LOOKUP_ORDER;
  const placed = kinds.map((kind) =>
    BY_PLATFORM.includes(kind) ? [kind, options.platform, ...path] : [kind, ...path],
  );
  const whole = OUTPUT_NAMES.includes(path[0] as string);
  return whole ? [path, ...placed] : [...placed, path];
}

/** An installable as a user writes it: `[FLAKE][#ATTRIBUTE]`; `.` is the flake when none is named. */
export interface Installable {
  readonly flake: string;
  readonly attribute: string;
}

/** Split `FLAKE#ATTRIBUTE`. */
export function parseInstallable(text: string): Installable {
  const mark = text.indexOf("#");
  const flake = mark < 0 ? text : text.slice(0, mark);
  return { flake: flake === "" ? "." : flake, attribute: mark < 0 ? "" : text.slice(mark + 1) };
}

import { CodedError, didYouMean, isRecord } from "../../../base/index.ts";
import {
  type DeclaredInputs,
  FLAKE_SETTINGS,
  type Flake,
  type FlakeSettings,
  type InputDeclaration,
  settingFault,
} from "../../../flake/index.ts";

/** What a flake is and takes in. */
export interface ReadFlake {
  readonly flake: Flake;
  readonly inputs: DeclaredInputs;
  readonly description?: string;
  readonly settings?: FlakeSettings;
}

/**
 * Check the default export of a `flake.config.ts`.
 *
 * @throws {CodedError} `flake.malformed`
 */
export function readFlake(exported: unknown, file: string): ReadFlake {
  const malformed = (found: string, hint?: string): CodedError =>
    new CodedError("flake.malformed", `Cannot read the flake "${file}": ${found}`, {
      at: { file, line: 1, column: 1 },
      hint,
    });
  if (!isRecord(exported)) {
    throw malformed(
      `its default export is ${kindOf(exported)}, expected a flake`,
      "Write: export default defineFlake({ outputs() { return { … }; } });",
    );
  }
  const { description, inputs = {}, settings, outputs } = exported;
  const unknown = Object.keys(exported).find((key) => !FIELDS.includes(key));
  if (unknown !== undefined)
    throw malformed(
      `found "${unknown}", expected only description, inputs, settings and outputs`,
      didYouMean(unknown, FIELDS) ?? `Take "${unknown}" out, or give it out: outputs: () => ({ ${unknown}: … }).`,
    );
  if (typeof outputs !== "function")
    throw malformed(
      `"outputs" is ${kindOf(outputs)}, expected a function`,
      "Write: outputs: ({ inputs }) => ({ packages: { … } }),",
    );
  if (description !== undefined && typeof description !== "string")
    throw malformed(
      `"description" is ${kindOf(description)}, expected a text`,
      'Write it in quotes: description: "…",',
    );
  if (settings !== undefined) checkSettings(settings, malformed);
  return {
    ...(settings === undefined ? {} : { settings: settings as FlakeSettings }),
    flake: exported as unknown as Flake,
    inputs: readInputs(inputs, "inputs", malformed),
    ...(description === undefined ? {} : { description }),
  };
}

/** @throws {CodedError} `flake.malformed` */
function checkSettings(settings: unknown, malformed: Malformed): void {
  if (!isRecord(settings))
    throw malformed(
      `"settings" is ${kindOf(settings)}, expected an object`,
      'Write: settings: { substituters: ["https://…"] },',
    );
  for (const name of Object.keys(settings)) {
    const fault = settingFault(name, settings[name]);
    if (fault !== undefined) throw malformed(fault, didYouMean(name, Object.keys(FLAKE_SETTINGS)));
  }
}

const FIELDS = ["description", "inputs", "settings", "outputs"];
const REFERENCE_HINT = 'Write: NAME: "github:OWNER/REPO", or NAME: { url: "path:./FOLDER", flake: false },';

/** What Nix takes beside the address as well. */
const ADDRESS_PARTS = ["ref", "rev", "dir", "submodules", "lfs", "shallow", "narHash", "semver", "host"];

type Malformed = (found: string, hint?: string) => CodedError;

function readInputs(value: unknown, place: string, malformed: Malformed): DeclaredInputs {
  if (!isRecord(value)) throw malformed(`"${place}" is ${kindOf(value)}, expected an object`, REFERENCE_HINT);
  return Object.fromEntries(
    Object.keys(value).map((name) => [name, readInput(value[name], `${place}.${name}`, name, malformed)]),
  );
}

function readInput(value: unknown, place: string, name: string, malformed: Malformed): InputDeclaration {
  if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(name))
    throw malformed(`"${name}" is no name of an input, expected letters, digits, "_" and "-"`, REFERENCE_HINT);
  if (typeof value === "string") return { url: value };
  if (!isRecord(value))
    throw malformed(`"${place}" is ${kindOf(value)}, expected a reference or an object`, REFERENCE_HINT);
  const expected: Readonly<Record<string, string>> = {
    url: "string",
    flake: "boolean",
    follows: "string",
    inputs: "object",
  };
  for (const key of Object.keys(value)) {
    if (!Object.hasOwn(expected, key))
      throw malformed(
        `found "${place}.${key}", expected only ${Object.keys(expected).join(", ")}`,
        ADDRESS_PARTS.includes(key)
          ? `Write it in the address: url: "…?${key}=…".`
          : (didYouMean(key, Object.keys(expected)) ?? REFERENCE_HINT),
      );
    if (value[key] !== undefined && typeof value[key] !== expected[key])
      throw malformed(`"${place}.${key}" is ${kindOf(value[key])}, expected ${expected[key]}`, REFERENCE_HINT);
  }
  const { url, flake, follows, inputs } = value as InputDeclaration;
  if (url !== undefined && follows !== undefined)
    throw malformed(
      `"${place}" has both url and follows`,
      "Take one of them out: an input has an address, or is what another one is.",
    );
  return {
    ...(url === undefined ? {} : { url }),
    ...(flake === undefined ? {} : { flake }),
    ...(follows === undefined ? {} : { follows }),
    ...(inputs === undefined ? {} : { inputs: readInputs(inputs, `${place}.inputs`, malformed) }),
  };
}

function kindOf(value: unknown): string {
  return value === undefined
    ? "missing"
    : value === null
      ? "null"
      : Array.isArray(value)
        ? "a list"
        : `a ${typeof value}`;
}

import { CodedError } from "../../core/base/index.ts";

/** Which outputs of a derivation. */
export type OutputNames = readonly string[] | "all";

/** What a command is asked to work on. */
export type Installable =
  | {
      readonly kind: "flake";
      readonly flake: string;
      /** Empty for the default. */
      readonly attribute: string;
      /** Names after `^`; `undefined` for the outputs that the package gives by itself. */
      readonly outputs: OutputNames | undefined;
      /** Names of outputs that are derivations, on the way to these outputs. */
      readonly through?: readonly string[];
    }
  | {
      readonly kind: "derivation";
      readonly path: string;
      readonly outputs: OutputNames;
      readonly through?: readonly string[];
    }
  | { readonly kind: "store-path"; readonly path: string };

const STORE_OBJECT = /^(?<path>\/nix\/store\/[0-9a-z]{32}-[^/!^]+)(?<inside>\/[^!^]*)?(?:[!^](?<outputs>.*))?$/;

/**
 * Read `[FLAKE]#ATTRIBUTE`, a `.drv`, or a store path.
 *
 * Shape: `.#hello`, `#hello` (the flake here), `.` alone (attribute `default`), `git+https://…?ref=…#a.b`, each with
 * `^out,dev` for some outputs and `^*` for all, or `^out^dev` for the output of an output that is a derivation;
 * `/nix/store/….drv`, all outputs unless `^out,dev` names some; `/nix/store/…`. A path inside a store
 * object means the whole object. A word without `#` that is neither a path nor an address is refused:
 * `hello` could mean `.#hello` as well as a directory.
 *
 * @throws {CodedError} `installable.ambiguous` for a bare word, `installable.empty` for an empty text.
 */
export function parseInstallable(text: string): Installable {
  if (text === "") throw new CodedError("installable.empty", 'Cannot read "" as an installable: it is empty');
  const stored = STORE_OBJECT.exec(text)?.groups;
  if (stored?.["path"] !== undefined && !text.includes("#")) {
    if (stored["path"].endsWith(".drv") && stored["inside"] === undefined) {
      return { kind: "derivation", path: stored["path"], ...wantedOf(stored["outputs"] ?? "") };
    }
    if (stored["outputs"] === undefined) return { kind: "store-path", path: stored["path"] };
  }
  const [, reference = "", outputs] = /^(.*?)(?:\^([^/#]*))?$/.exec(text) ?? [];
  const hash = reference.indexOf("#");
  if (hash === -1 && !/^[./~]|:/.test(reference)) {
    throw new CodedError("installable.ambiguous", `Cannot read "${text}" as an installable: it has no "#"`, {
      hint: `Write \`.#${text}\` for that attribute of the flake here, or \`./${text}\` for the flake in that directory.`,
    });
  }
  const flake = hash === -1 ? reference : reference.slice(0, hash);
  const attribute = hash === -1 ? "" : reference.slice(hash + 1);
  return {
    kind: "flake",
    flake: flake === "" ? "." : flake,
    attribute: attribute === "" ? "default" : attribute,
    outputs: undefined,
    ...(outputs === undefined ? {} : wantedOf(outputs)),
  };
}

/** `out,dev`, `*`, or with names before it that end in `^`. */
function wantedOf(text: string): { readonly outputs: OutputNames; readonly through?: readonly string[] } {
  const through = text.split(/[!^]/);
  const names = (through.pop() ?? "").split(",").filter((name) => name !== "");
  const outputs = names.length === 0 || names.includes("*") ? "all" : names;
  return through.length === 0 ? { outputs } : { outputs, through };
}

import { CodedError } from "../../core/base/index.ts";

/** What a command is asked to work on. */
export type Installable =
  | { readonly kind: "flake"; readonly flake: string; readonly attribute: string }
  | { readonly kind: "derivation"; readonly path: string; readonly outputs: readonly string[] }
  | { readonly kind: "store-path"; readonly path: string };

const STORE_OBJECT = /^(?<path>\/nix\/store\/[0-9a-z]{32}-[^/!^]+)(?<inside>\/[^!^]*)?(?:[!^](?<outputs>.*))?$/;

/**
 * Read `[FLAKE]#ATTRIBUTE`, a `.drv`, or a store path.
 *
 * Shape: `.#hello`, `#hello` (the flake here), `.` alone (attribute `default`), `git+https://…?ref=…#a.b`;
 * `/nix/store/….drv`, with `!out,dev` or `^out,dev` for some outputs; `/nix/store/…`. A path inside a store
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
      return { kind: "derivation", path: stored["path"], outputs: outputNames(stored["outputs"]) };
    }
    if (stored["outputs"] === undefined) return { kind: "store-path", path: stored["path"] };
  }
  const hash = text.indexOf("#");
  if (hash === -1 && !/^[./~]|:/.test(text)) {
    throw new CodedError("installable.ambiguous", `Cannot read "${text}" as an installable: it has no "#"`, {
      hint: `Write \`.#${text}\` for that attribute of the flake here, or \`./${text}\` for the flake in that directory.`,
    });
  }
  const flake = hash === -1 ? text : text.slice(0, hash);
  const attribute = hash === -1 ? "" : decodeAttribute(text.slice(hash + 1));
  return { kind: "flake", flake: flake === "" ? "." : flake, attribute: attribute === "" ? "default" : attribute };
}

function outputNames(text: string | undefined): string[] {
  if (text === undefined || text === "" || text === "*") return [];
  return text.split(",").filter((name) => name !== "");
}

function decodeAttribute(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

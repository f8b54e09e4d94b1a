import { CodedError } from "../../core/base/index.ts";
import type { BuildTarget } from "../../core/build/index.ts";
import type { Watched } from "../../core/host/answers/index.ts";
import type { LocalStore } from "../../core/host/local-store/index.ts";
import { parseStorePath, type StorePath } from "../../core/store/index.ts";
import type { CliContext } from "./context.ts";
import type { LockFlags } from "./flags.ts";
import { followIntoStore } from "./follow-links.ts";
import { type Installable, parseInstallable } from "./installable.ts";

/** What an installable stands for. */
export interface Resolved {
  /** Where the attribute was found in the flake: `packages.x86_64-linux.hello`. */
  readonly attribute?: string;
  /** What the evaluation gave, for installables of a flake. */
  readonly value?: unknown;
  /** A text of that value for people: places in the flake as places on this machine. */
  readonly onHost?: (text: string) => string;
  /** Derivations to build; their `.drv` files are in the store. */
  readonly targets: readonly BuildTarget[];
  /** Store objects that are there already. */
  readonly paths: readonly StorePath[];
  /** What it depends on, when it came from the record of an earlier evaluation; see `OpenFlake.watched`. */
  readonly watched?: () => Promise<Watched | undefined>;
  /** Name of the program in `bin` that the package says is its main one. */
  readonly mainProgram?: string;
}

export interface ResolveOptions {
  readonly context: CliContext;
  readonly store: LocalStore;
  readonly flags: LockFlags & { readonly quiet?: boolean };
  /** Whether store paths have to be valid. Default true. */
  readonly needValid?: boolean;
  /** Outputs a short name is looked for in, in this order. Default as `attributeCandidates` has it. */
  readonly kinds?: readonly string[];
}

/**
 * Find what installables stand for: flakes are evaluated and their derivations written to the store; nothing is built.
 *
 * @throws {CodedError} `installable.*`, `store.not-valid`, and the errors of the evaluation.
 */
export async function resolveInstallables(texts: readonly string[], options: ResolveOptions): Promise<Resolved[]> {
  const resolved: Resolved[] = [];
  const { cwd } = options.context;
  for (const text of texts) resolved.push(await resolveOne(parseInstallable(followIntoStore(text, cwd)), options));
  return resolved;
}

async function resolveOne(installable: Installable, options: ResolveOptions): Promise<Resolved> {
  const { store, needValid = true } = options;
  if (installable.kind === "store-path") return { targets: [], paths: [checkPath(installable.path, store, needValid)] };
  if (installable.kind === "derivation") {
    const drvPath = checkPath(installable.path, store, needValid);
    const { outputs, through } = installable;
    const way = through === undefined ? {} : { through };
    return { targets: [outputs === "all" ? { drvPath, ...way } : { drvPath, ...way, outputs }], paths: [] };
  }
  // Evaluations are loaded only when there is something to evaluate.
  const { resolveAttribute } = await import("./resolve-attribute.ts");
  return resolveAttribute(installable, options);
}

function checkPath(text: string, store: LocalStore, needValid: boolean): StorePath {
  const path = parseStorePath(text);
  if (needValid) checkValid(path, store);
  return path;
}

/** @throws {CodedError} `store.not-valid` */
export function checkValid(path: StorePath, store: LocalStore): void {
  if (store.isValid(path)) return;
  throw new CodedError("store.not-valid", `Cannot use "${path}": it is not in the store below "${store.root}"`, {
    hint: "Name the flake's attribute it comes from, so that it can be evaluated and built, or a store that has it (--extra-substituter).",
  });
}

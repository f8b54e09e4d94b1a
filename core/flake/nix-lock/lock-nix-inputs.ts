import { CodedError } from "../../base/index.ts";
import type { NixInput, NixInputs } from "./nix-inputs.ts";
import {
  checkNixLock,
  EMPTY_NIX_LOCK,
  isFollows,
  LARGEST_DEPTH,
  LARGEST_SIZE,
  type NixLock,
  type NixLockEdge,
  type NixLockedInput,
  tooLarge,
} from "./nix-lock-file.ts";
import { equalNixReferences, type NixReference } from "./nix-reference.ts";

/** A flake that was fetched: what it declares, and what its own lock says. */
export interface FetchedNixFlake<Place> {
  readonly place: Place;
  readonly inputs: NixInputs;
  readonly lock?: NixLock | undefined;
}

/** Fetches inputs. A relative path is relative to the flake at `parent`. */
export interface NixInputHost<Place> {
  fetch(reference: NixReference, parent: Place): { readonly locked: NixReference; readonly place: Place };
  /** What is declared in a tree that was fetched. */
  readFlake(place: Place): Omit<FetchedNixFlake<Place>, "place">;
}

/**
 * The lock that belongs to what a Nix flake declares. Entries of its old lock that fit their declaration stay as they are, and
 * nothing is fetched for them; the others are fetched, with their own inputs.
 *
 * @throws {CodedError} `nix-lock.follows`, `nix-lock.circular`, `nix-lock.too-large`, and what the host throws.
 *
 * Source: Nix, `lockFlake`.
 */
export function lockNixInputs<Place>(flake: FetchedNixFlake<Place>, host: NixInputHost<Place>): NixLock {
  const inputs = new Locking(host).inputsOf({
    inputs: flake.inputs,
    prefix: [],
    old: flake.lock ?? EMPTY_NIX_LOCK,
    lockRoot: [],
    parent: flake.place,
    trusted: false,
  });
  const lock = { inputs };
  checkNixLock(lock);
  return lock;
}

interface Level<Place> {
  readonly inputs: NixInputs;
  /** Names from the root to here. */
  readonly prefix: readonly string[];
  readonly old: NixLock | undefined;
  /** Names from the root to the flake whose lock `old` comes from: what that lock follows counts from there. */
  readonly lockRoot: readonly string[];
  readonly parent: Place;
  /** The declarations themselves come from the old lock. */
  readonly trusted: boolean;
}

class Locking<Place> {
  readonly #host: NixInputHost<Place>;
  /** By path of the input; with the flake that says so, since relative paths are relative to it. */
  readonly #overrides = new Map<string, { readonly input: NixInput; readonly place: Place }>();
  readonly #open: NixReference[] = [];
  #size = 0;

  constructor(host: NixInputHost<Place>) {
    this.#host = host;
  }

  inputsOf(level: Level<Place>): ReadonlyMap<string, NixLockEdge> {
    const { inputs, prefix, lockRoot } = level;
    if (prefix.length > LARGEST_DEPTH) throw tooLarge(`found inputs of inputs beyond a depth of ${LARGEST_DEPTH}`);
    for (const [name, input] of inputs) {
      for (const [inner, override] of input.overrides) {
        const { follows } = override;
        const input = follows === undefined ? override : { ...override, follows: [...prefix, ...follows] };
        this.#overrides.set(keyOf([...prefix, name, inner]), { input, place: level.parent });
      }
    }
    const edges = new Map<string, NixLockEdge>();
    for (const [name, declared] of inputs) {
      const path = [...prefix, name];
      if (++this.#size > LARGEST_SIZE) throw tooLarge(`found more than ${LARGEST_SIZE} inputs of inputs`);
      const override = this.#overrides.get(keyOf(path));
      const follows = override === undefined ? declared.follows : override.input.follows;
      if (follows === undefined) edges.set(name, this.#input(level, path, declared, override));
      // Overrides say it from the root already.
      else edges.set(name, override === undefined ? [...(level.trusted ? lockRoot : prefix), ...follows] : follows);
    }
    return edges;
  }

  #input(
    level: Level<Place>,
    path: readonly string[],
    declared: NixInput,
    override: { readonly input: NixInput; readonly place: Place } | undefined,
  ): NixLockedInput {
    const reference = (override?.input.reference ?? declared.reference) as NixReference;
    // What an override replaces stays on record, so that the entry fits the declaration.
    const original = declared.reference ?? reference;
    const edge = level.old?.inputs.get(path.at(-1) as string);
    const old = edge === undefined || isFollows(edge) ? undefined : edge;
    if (old !== undefined && override === undefined && equalNixReferences(old.original, reference))
      return this.#keep(level, path, old);
    const { locked, place } = this.#host.fetch(reference, override?.place ?? level.parent);
    if (!declared.flake) return { locked, original, flake: false, inputs: new Map() };
    if (this.#open.some((open) => equalNixReferences(open, reference))) {
      throw new CodedError("nix-lock.circular", `Cannot lock the input "${path.join("/")}": it is an input of itself`);
    }
    this.#open.push(reference);
    const flake = this.#host.readFlake(place);
    const inputs = this.inputsOf({
      inputs: flake.inputs,
      prefix: path,
      old: old ?? flake.lock,
      lockRoot: old === undefined ? path : level.lockRoot,
      parent: place,
      trusted: false,
    });
    this.#open.pop();
    return { locked, original, flake: true, inputs };
  }

  /** An entry of the old lock stays; its inputs are looked at for what is declared for them from above. */
  #keep(level: Level<Place>, path: readonly string[], old: NixLockedInput): NixLockedInput {
    const { locked, original, flake } = old;
    const lost = [...old.inputs].some(
      ([name, edge]) => !level.trusted && isFollows(edge) && !this.#overrides.has(keyOf([...path, name])),
    );
    const next = { prefix: path, old, lockRoot: level.lockRoot };
    if (lost) {
      // What it followed is no longer declared above: what it declares itself is not in the lock.
      const { place } = this.#host.fetch(locked, level.parent);
      const { inputs } = this.#host.readFlake(place);
      return { locked, original, flake, inputs: this.inputsOf({ ...next, inputs, parent: place, trusted: false }) };
    }
    const inputs = new Map([...old.inputs].map(([name, edge]) => [name, declarationOf(edge)]));
    return { locked, original, flake, inputs: this.inputsOf({ ...next, inputs, parent: level.parent, trusted: true }) };
  }
}

function declarationOf(edge: NixLockEdge): NixInput {
  return isFollows(edge)
    ? { follows: edge, flake: true, overrides: new Map() }
    : { reference: edge.original, flake: edge.flake, overrides: new Map() };
}

function keyOf(path: readonly string[]): string {
  return JSON.stringify(path);
}

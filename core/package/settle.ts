import { CodedError, type SourceLocation } from "../base/index.ts";

type Attributes = Readonly<Record<string, unknown>>;
type Change = (final: Attributes, previous: Attributes) => Attributes;

/** More rounds than any chain of attributes that read each other has links. */
const MOST_ROUNDS = 50;

/**
 * Apply changes, each of which may read the final attributes: start with the unchanged ones as a guess and run the changes
 * until the result is the guess.
 *
 * @throws {CodedError} `package.unsettled`
 */
export function settle(
  base: Attributes,
  changes: readonly Change[],
  place: () => SourceLocation | undefined,
): Attributes {
  if (changes.length === 0) return base;
  let guess = base;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    let next = base;
    for (const change of changes) next = { ...next, ...change(guess, next) };
    if (equal(next, guess)) return next;
    guess = next;
  }
  throw new CodedError(
    "package.unsettled",
    `Cannot settle the attributes of "${String(base["name"])}": they still change after ${MOST_ROUNDS} rounds`,
    {
      at: place(),
      hint: 'An attribute feeds itself through "final"; read "previous" where the value before the change is meant.',
    },
  );
}

/** Equal in structure; objects that have a text form of their own (packages, derivations) by that form. */
function equal(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (hasText(a) || hasText(b)) return String(a) === String(b);
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => key in b && equal((a as Attributes)[key], (b as Attributes)[key]));
}

function hasText(value: object): boolean {
  return !Array.isArray(value) && value.toString !== Object.prototype.toString;
}

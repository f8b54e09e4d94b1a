import { CodedError, callerLocation } from "../base/index.ts";
import { contentText } from "./value.ts";

/** The priority of a default that an option's declaration has. */
export const PRIORITY_DECLARED = 1500;
/** The priority of {@link defaults}. */
export const PRIORITY_DEFAULTS = 1000;
/** The priority of a plain definition. */
export const PRIORITY_PLAIN = 100;
/** The priority of {@link force}. */
export const PRIORITY_FORCE = 50;

/** The order of {@link before}. */
export const ORDER_BEFORE = 500;
/** The order of a plain definition. */
export const ORDER_PLAIN = 1000;
/** The order of {@link after}. */
export const ORDER_AFTER = 1500;

/** A value that carries its priority or its order, until the definition is taken apart. */
class Marked {
  readonly value: unknown;
  readonly priority: number | undefined;
  readonly order: number | undefined;

  constructor(value: unknown, priority: number | undefined, order: number | undefined) {
    this.value = value;
    this.priority = priority;
    this.order = order;
  }

  /** What tells it from other marked values, where values are compared or put in order. */
  toString(): string {
    return `${this.priority} ${this.order} ${contentText(this.value)}`;
  }
}

/**
 * Let this definition win over plain ones (priority 50). Two forced ones still merge or conflict.
 *
 * The type is that of the value, so that a definition stays checked: only `define` and the
 * configuration literal understand the mark.
 */
export function force<T>(value: NoInfer<T>): T {
  return new Marked(value, PRIORITY_FORCE, undefined) as T;
}

/** Define a value that any plain definition replaces (priority 1000): a computed default. */
export function defaults<T>(value: NoInfer<T>): T {
  return new Marked(value, PRIORITY_DEFAULTS, undefined) as T;
}

/**
 * Give a definition a priority of its own; the lowest number wins.
 *
 * Shape: a whole number from 0. Plain definitions have 100; a test's machine that must win over `force` takes 10,
 * what shall be as weak as a declared default 1500.
 *
 * @throws {CodedError} `option.bad-priority`
 */
export function withPriority<T>(priority: number, value: NoInfer<T>): T {
  return new Marked(value, checkNumber(priority, "priority", withPriority), undefined) as T;
}

/** Put this definition's elements or lines before the others' (order 500). */
export function before<T>(value: NoInfer<T>): T {
  return new Marked(value, undefined, ORDER_BEFORE) as T;
}

/** Put this definition's elements or lines after the others' (order 1500). */
export function after<T>(value: NoInfer<T>): T {
  return new Marked(value, undefined, ORDER_AFTER) as T;
}

/**
 * Give a definition's elements or lines a place of their own: the lowest number comes first, plain ones have 1000.
 *
 * @throws {CodedError} `option.bad-priority` when it is not a whole number from 0.
 */
export function withOrder<T>(order: number, value: NoInfer<T>): T {
  return new Marked(value, undefined, checkNumber(order, "order", withOrder)) as T;
}

function checkNumber(number: number, what: string, caller: Function): number {
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new CodedError("option.bad-priority", `Cannot use ${number} as ${what}: expected a whole number from 0`, {
    at: callerLocation(caller),
  });
}

/** A value without its marks; an undefined mark is inherited from what encloses it. */
export interface Unmarked {
  readonly value: unknown;
  readonly priority: number | undefined;
  readonly order: number | undefined;
}

/** Whether a value carries a mark. */
export function isMarked(value: unknown): boolean {
  return value instanceof Marked;
}

/** Take the marks off a value; with several marks of one kind the outermost counts. */
export function unmark(value: unknown): Unmarked {
  if (!(value instanceof Marked)) return { value, priority: undefined, order: undefined };
  let priority: number | undefined;
  let order: number | undefined;
  let inner: unknown = value;
  while (inner instanceof Marked) {
    priority ??= inner.priority;
    order ??= inner.order;
    inner = inner.value;
  }
  return { value: inner, priority, order };
}

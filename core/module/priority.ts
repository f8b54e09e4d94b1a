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

/** Give a definition a priority of its own; the lowest number wins. */
export function withPriority<T>(priority: number, value: NoInfer<T>): T {
  return new Marked(value, priority, undefined) as T;
}

/** Put this definition's elements or lines before the others' (order 500). */
export function before<T>(value: NoInfer<T>): T {
  return new Marked(value, undefined, ORDER_BEFORE) as T;
}

/** Put this definition's elements or lines after the others' (order 1500). */
export function after<T>(value: NoInfer<T>): T {
  return new Marked(value, undefined, ORDER_AFTER) as T;
}

/** A value without its marks; an undefined mark is inherited from what encloses it. */
export interface Unmarked {
  readonly value: unknown;
  readonly priority: number | undefined;
  readonly order: number | undefined;
}

/** Take the marks off a value; with several marks of one kind the outermost counts. */
export function unmark(value: unknown): Unmarked {
  let priority: number | undefined;
  let order: number | undefined;
  let inner = value;
  while (inner instanceof Marked) {
    priority ??= inner.priority;
    order ??= inner.order;
    inner = inner.value;
  }
  return { value: inner, priority, order };
}

const frozen = new WeakSet<object>();

/** Freeze objects and all that can be reached from them: properties, accessors, prototypes. */
export function freezeReachable(roots: readonly object[]): void {
  const pending = [...roots];
  for (let object = pending.pop(); object !== undefined; object = pending.pop()) {
    if (frozen.has(object)) continue;
    frozen.add(object);
    const prototype = Object.getPrototypeOf(object) as object | null;
    if (prototype !== null) pending.push(prototype);
    for (const key of Reflect.ownKeys(object)) {
      const property = Object.getOwnPropertyDescriptor(object, key);
      for (const part of [property?.value, property?.get, property?.set] as unknown[]) {
        if ((typeof part === "object" && part !== null) || typeof part === "function") pending.push(part as object);
      }
    }
    // Elements of a byte array cannot be frozen.
    if (!ArrayBuffer.isView(object)) Object.freeze(object);
  }
}

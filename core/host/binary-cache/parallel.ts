/**
 * Do something for each item, at most `limit` at once. The first failure stops further items from being begun; it is thrown once
 * those under way have ended.
 */
export async function forEachParallel<T>(
  items: Iterable<T>,
  limit: number,
  run: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  let failure: { readonly error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    for (let step = iterator.next(); step.done !== true && failure === undefined; step = iterator.next()) {
      try {
        await run(step.value);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
  if (failure !== undefined) throw failure.error;
}

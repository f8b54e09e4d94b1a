/** What happens to places that others own or change. */
const EXPECTED = new Set([
  "ENOENT",
  "ENOTDIR",
  "EACCES",
  "EPERM",
  "ELOOP",
  "EINVAL",
  "ESRCH",
  "ENAMETOOLONG",
  "ENOTEMPTY",
]);

/** `undefined` for what vanished, or what we may not look at. */
export function unlessUnreadable<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (EXPECTED.has((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

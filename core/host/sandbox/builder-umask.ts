import { BUILDER_PROCESS } from "../../build/index.ts";

/**
 * Start a process with the file mode mask that builders get, whatever the caller's is: modes of what they make must not depend
 * on who asked for it.
 *
 * @param spawn Starts it before it returns; the mask of this process is another one meanwhile.
 */
export function withBuilderUmask<T>(spawn: () => T): T {
  const before = process.umask(BUILDER_PROCESS.umask);
  try {
    return spawn();
  } finally {
    process.umask(before);
  }
}

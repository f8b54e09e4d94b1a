import { Profile } from "../profile/index.ts";
import { writeBootMenu } from "./boot-menu.ts";
import { withSwitchLock } from "./lock.ts";
import type { SwitchPaths } from "./paths.ts";

/** What {@link deleteGenerations} takes. */
export interface DeleteGenerationsOptions {
  readonly numbers: readonly number[];
  readonly paths: SwitchPaths;
  /** Receives words for people. */
  readonly say: (line: string) => void;
  /** Where store paths are found: `""`, or a root in tests. */
  readonly root?: string;
}

/**
 * Forget generations: all of them or, if one cannot be, none. The boot menu changes first, so that at no instant it
 * offers a system that may be collected.
 *
 * @throws {CodedError} `profile.current`, `profile.no-generation`, `system.locked`, and those of `writeBootMenu`
 */
export function deleteGenerations({ numbers, paths, say, root = "" }: DeleteGenerationsOptions): void {
  withSwitchLock(paths.run, () => {
    const profile = new Profile(paths.profiles, "system");
    for (const number of numbers) profile.checkDeletable(number);
    const generations = profile.list().filter(({ number }) => !numbers.includes(number));
    const current = generations.find((one) => one.current);
    if (current !== undefined) {
      writeBootMenu({ boot: paths.boot, generations, defaultGeneration: current.number, root, say });
    }
    for (const number of new Set(numbers)) profile.delete(number);
  });
}

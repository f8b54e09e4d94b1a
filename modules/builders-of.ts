import type { Pkgs } from "../pkgs/index.ts";

/** What makes the parts of a system that are texts and links. */
export interface Builders {
  /** The platform that builds. */
  readonly platform: string;
  readonly bash: { toString(): string };
  readonly coreutils: { toString(): string };
}

/** The programs that run while a system's parts are built: those of the platform that builds, whatever the system runs on. */
export function buildersOf({ native }: Pick<Pkgs, "native">): Builders {
  const { bash, coreutils, platform } = native;
  return { platform: platform.system, bash, coreutils };
}

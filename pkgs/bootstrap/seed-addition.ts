import type { Pkgs } from "#floe/package";

/** What the unpacking script has to know of the seed when it makes an addition to it. */
export function seedAddition({ "seed-busybox": busybox, seed, platform }: Pkgs): Record<string, unknown> {
  const libraryPath = `${seed}/lib/${platform.triple}`;
  return { busybox, interpreter: `${libraryPath}/${platform.loader}`, libraryPath, tools: `${seed}/bin` };
}

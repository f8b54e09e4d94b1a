import type { SeedPin } from "./pins.ts";

/**
 * The Debian packages of aarch64 that cross compilation takes something from. None of their programs runs in a build.
 *
 * Written by `node pkgs/bootstrap/refresh-pins.ts`, which keeps the names and looks up the rest.
 */
// biome-ignore format: a table, one pin a line.
export const SEED_AARCH64: Readonly<Record<"headers", readonly SeedPin[]>> = {
  headers: [
    { package: "linux-libc-dev", version: "6.1.176-1", path: "pool/main/l/linux/linux-libc-dev_6.1.176-1_arm64.deb", hash: "sha256-7spewTvtcgb4Fx+rmkjoQRncwgzHlVfxBGKER6UkrRA=" },
  ],
};

import { CodedError } from "../base/index.ts";

/** A kind of machine that packages run on. */
export interface Platform {
  /** Name in derivations: `x86_64-linux`. */
  readonly system: string;
  /** Name in configure scripts: `x86_64-linux-gnu`. */
  readonly triple: string;
  /** Name of the processor as meson and uname have it: `x86_64`. */
  readonly processor: string;
  /** Name of the processor in the kernel's sources: `x86_64`, `arm64`. */
  readonly kernelArchitecture: string;
  /** File name of the dynamic loader in the C library's `lib`. */
  readonly loader: string;
}

const PLATFORMS: readonly Platform[] = [
  {
    system: "x86_64-linux",
    triple: "x86_64-linux-gnu",
    processor: "x86_64",
    kernelArchitecture: "x86_64",
    loader: "ld-linux-x86-64.so.2",
  },
  {
    system: "aarch64-linux",
    triple: "aarch64-linux-gnu",
    processor: "aarch64",
    kernelArchitecture: "arm64",
    loader: "ld-linux-aarch64.so.1",
  },
];

/** Names of all platforms that packages can be made for. */
export const PLATFORM_NAMES: readonly string[] = PLATFORMS.map((platform) => platform.system);

/** @throws {CodedError} `platform.unknown` */
export function getPlatform(system: string): Platform {
  const found = PLATFORMS.find((platform) => platform.system === system);
  if (found !== undefined) return found;
  throw new CodedError(
    "platform.unknown",
    `Cannot make packages for "${system}": expected one of ${PLATFORM_NAMES.join(", ")}`,
  );
}

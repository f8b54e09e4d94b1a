import { local } from "#floe/derivation";
import { definePackage } from "#floe/package";
import { fetchPin } from "../pins.ts";
import { scriptPackage } from "../script-package.ts";
import { SEED_AARCH64 } from "../seed.aarch64.ts";
import { SEED_X86_64 } from "../seed.x86_64.ts";

export default definePackage((pkgs) =>
  scriptPackage(pkgs, {
    name: "linux-headers",
    version: "6.1",
    summary: "Headers of the kernel's interface to programs",
    homepage: "https://www.kernel.org",
    license: "GPL-2.0-only WITH Linux-syscall-note",
    script: local("../../build-side/linux-headers.sh"),
    env: {
      deb: (pkgs.platform.processor === "aarch64"
        ? SEED_AARCH64.headers
        : SEED_X86_64.libc.filter((pin) => pin.package === "linux-libc-dev")
      ).map(fetchPin),
    },
    crossWords: { "x86_64-linux-gnu": pkgs.platform.triple },
  }),
);

import { defineBuildTool, makePackage } from "#floe/package";
import { pinMember } from "../pins.ts";
import { SEED_X86_64 } from "../seed.x86_64.ts";

/** The first program: statically linked, so it runs where there is nothing else. */
export default defineBuildTool(() =>
  makePackage({
    attributes: {
      name: "seed-busybox",
      version: "1.35.0",
      summary: "Static busybox that unpacks the seed",
      homepage: "https://busybox.net",
      license: "GPL-2.0-only",
      platforms: ["x86_64-linux"],
      mainProgram: "busybox",
    },
    derive: ({ name, version }) => {
      const [pin] = SEED_X86_64.busybox;
      if (pin === undefined) throw new Error("the seed has no busybox");
      return pinMember(pin, {
        name: `${name}-${version}`,
        member: "./bin/busybox",
        path: "bin/busybox",
        hash: "sha256-SUza0DfPfQp17oFvwGC5JmPeEwlgKv9DwvnOVdreTEA=",
      });
    },
  }),
);

import type { Section } from "../mistake.ts";

const PLAIN = `import { derivation } from "#floe/derivation";
import { makePackage } from "#floe/package";

/** A builder with the fewest parts. */
export const plain = (attributes: Record<string, unknown>) =>
  makePackage({
    attributes: { version: "1.0", summary: "Greets", homepage: "https://example.org", license: "MIT", ...attributes } as never,
    derive: ({ name }) => ({ name, system: "x86_64-linux", builder: "/bin/sh" }),
  });
`;

/** A set of these packages, as members of an object. */
function set(packages: string, more = ""): string {
  return `import { defineFlake } from "#floe/flake";
import { defineOverlay, definePackage, makePackageSet } from "#floe/package";
import { plain } from "./plain.ts";

const definitions = {
  ${packages}
};
const overlays = [${more}];
const pkgs = makePackageSet({ definitions, overlays, tools: () => ({}) } as never);

export default defineFlake({ outputs: () => ({ packages: { "x86_64-linux": pkgs } }) });
`;
}

const HELLO = `hello: definePackage(() => plain({ name: "hello" })),`;

/** Mistakes of packages and their sets. */
export const packages: Section = {
  heading: "Packages",
  words: "Each of these flakes has this builder beside it:",
  files: { "plain.ts": PLAIN.replace('import { derivation } from "#floe/derivation";\n', "") },
  mistakes: [
    {
      heading: "A misspelt dependency",
      files: {
        "flake.config.ts": set(
          `${HELLO}\n  greet: ▸definePackage(({ helo }: any) => plain({ name: "greet", inputs: [helo] })),`,
        ),
      },
      command: ["build", ".#greet"],
    },
    {
      heading: "Packages that need each other",
      files: {
        "flake.config.ts": set(
          `hello: ▸definePackage(({ greet }: any) => plain({ name: "hello", inputs: [greet] })),\n  greet: definePackage(({ hello }: any) => plain({ name: "greet", inputs: [hello] })),`,
        ),
      },
      command: ["build", ".#hello"],
    },
    {
      heading: "No licence",
      files: {
        "flake.config.ts": set(`hello: ▸definePackage(() => plain({ name: "hello", license: undefined })),`),
      },
      command: ["build", ".#hello"],
    },
    {
      heading: "A misspelt licence",
      files: { "flake.config.ts": set(`hello: ▸definePackage(() => plain({ name: "hello", license: "Apache-2" })),`) },
      command: ["build", ".#hello"],
    },
    {
      heading: "A platform that there is not",
      files: {
        "flake.config.ts": set(`hello: ▸definePackage(() => plain({ name: "hello", platforms: ["x86-64_linux"] })),`),
      },
      command: ["build", ".#hello"],
    },
    {
      heading: "An overlay of a package that there is not",
      files: {
        "flake.config.ts": set(HELLO, `▸defineOverlay({ override: { helo: (prev: any) => prev } } as never)`),
      },
      command: ["build", ".#hello"],
    },
  ],
};

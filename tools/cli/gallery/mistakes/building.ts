import { copyShell } from "../../testing-flake.ts";
import type { Mistake, Section, World } from "../mistake.ts";

const SHELL = `import { derivation, local } from "#floe/derivation";

const tools = local("./shell");

/** Build with the shell alone. */
export const shell = (name: string, script: string, more: object = {}) =>
  derivation({
    name,
    system: "x86_64-linux",
    builder: \`\${tools}/loader\`,
    args: ["--library-path", \`\${tools}\`, \`\${tools}/sh\`, "-c", script],
    ...more,
  });
`;

/** A flake with these packages. */
function packages(members: string, imports = ""): string {
  return `import { defineFlake } from "#floe/flake";\n${imports}import { shell } from "./shell.ts";\n\nexport default defineFlake({\n  outputs: () => ({\n    packages: {\n      "x86_64-linux": {\n        ${members}\n      },\n    },\n  }),\n});\n`;
}

const prepare = ({ folder }: World): void => copyShell(`${folder}/shell`);

const build = (
  heading: string,
  members: string,
  more: Partial<Mistake> & { readonly imports?: string } = {},
): Mistake => {
  const { imports = "", ...rest } = more;
  return {
    heading,
    files: { "flake.config.ts": packages(members, imports) },
    command: ["build", ".#hello"],
    exitCode: 100,
    prepare,
    ...rest,
  };
};

const DERIVATION = `import { derivation } from "#floe/derivation";\n`;
const fetched = (url: string, hash: string): string =>
  `hello: derivation({\n          name: "hello.txt",\n          system: "builtin",\n          builder: "builtin:fetchurl",\n          env: { url: "${url}", urls: ["${url}"], executable: false, unpack: false },\n          fixed: { method: "flat", hash: "${hash}" },\n        }),`;

/** Mistakes that come to light when something is built. */
export const building: Section = {
  heading: "Building",
  words:
    "A failed build has no line of the configuration: the message begins with what was to be built. Each of these flakes has this file beside it, and in `shell` a shell with its libraries:",
  files: { "shell.ts": SHELL },
  mistakes: [
    build(
      "A builder that fails",
      `hello: shell("hello", "echo one; echo two; echo cannot find the printer >&2; exit 3"),`,
      { names: "hello" },
    ),
    build("A program that is not there", `hello: shell("hello", "make install"),`, { names: "hello" }),
    build("A builder that makes nothing", `hello: shell("hello", "true"),`, { names: "hello" }),
    build("A dependency that fails", `hello: shell("hello", \`echo \${shell("printer", "exit 1")} > $out\`),`, {
      names: "printer",
    }),
    build(
      "A reference that is not allowed",
      `hello: shell("hello", "echo $0 $tools > $out", { env: { tools: local("./shell") , allowedReferences: [] } }),`,
      {
        names: "hello",
        imports: `import { local } from "#floe/derivation";\n`,
      },
    ),
    build(
      "A source with another hash",
      fetched("file:///home/you/hello.txt", "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
      {
        names: "hello.txt",
        hidden: { "../hello.txt": "hello\n" },
        imports: DERIVATION,
        exitCode: 102,
      },
    ),
    build(
      "A source that is not there",
      fetched("file:///home/you/helo.txt", "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
      {
        names: "helo.txt",
        imports: DERIVATION,
      },
    ),
    build("Another machine's package", `hello: shell("hello", "echo hello > $out", { system: "riscv64-linux" }),`, {
      names: "hello",
      exitCode: 100,
    }),
    build(
      "A feature that this machine lacks",
      `hello: shell("hello", "echo hello > $out", { env: { requiredSystemFeatures: ["quantum"] } }),`,
      { names: "hello", exitCode: 100 },
    ),
    build("An output that a package does not have", `hello: shell("hello", "echo hello > $out"),`, {
      command: ["build", ".#hello^dev"],
      names: "dev",
      exitCode: 1,
    }),
    build("Nothing to run", `hello: shell("hello", "echo hello > $out"),`, {
      command: ["run", ".#hello"],
      names: "hello",
      exitCode: 1,
    }),
    build("A log of what was never built", `hello: shell("hello", "echo hello > $out"),`, {
      command: ["log", ".#hello"],
      names: "hello",
      exitCode: 1,
    }),
  ],
};

import { flake, type Section } from "../mistake.ts";

const DERIVATION = `import { derivation } from "#floe/derivation";\n`;
const HELLO = `derivation({ name: "hello", system: "x86_64-linux", builder: "/bin/sh" })`;

/** Mistakes of what a flake gives out. */
export const outputs: Section = {
  heading: "What a flake gives out",
  words: "Outputs, and what a command asks for.",
  mistakes: [
    {
      heading: "A misspelt package",
      files: { "flake.config.ts": flake(`{ packages: { "x86_64-linux": { hello: ${HELLO} } } }`, DERIVATION) },
      command: ["build", ".#helo"],
    },
    {
      heading: "A misspelt attribute",
      files: { "flake.config.ts": flake(`{ machines: { web: { port: 80 } } }`) },
      command: ["eval", ".#machines.wbe.port"],
    },
    {
      heading: "No default",
      files: { "flake.config.ts": flake(`{ packages: { "x86_64-linux": { hello: ${HELLO} } } }`, DERIVATION) },
      command: ["build", "."],
      names: "default",
    },
    {
      heading: "An attribute path that is none",
      files: { "flake.config.ts": flake(`{ greeting: "hello" }`) },
      command: ["eval", ".#greeting."],
    },
    {
      heading: "Nothing to build",
      files: { "flake.config.ts": flake(`{ packages: { "x86_64-linux": { hello: "hello" } } }`) },
      command: ["build", ".#hello"],
    },
    {
      heading: "Nothing to run",
      files: { "flake.config.ts": flake(`{ packages: { "x86_64-linux": { hello: ${HELLO} } } }`, DERIVATION) },
      command: ["run", ".#helo"],
    },
    {
      heading: "A configuration that exports no flake",
      files: {
        "flake.config.ts": `import { defineFlake } from "#floe/flake";\n\nexport const flake = defineFlake({ outputs: () => ({ greeting: "hello" }) });\n`,
      },
      command: ["eval", ".#greeting"],
      names: "flake.config.ts",
    },
    {
      heading: "A flake without outputs",
      files: {
        "flake.config.ts": `import { defineFlake } from "#floe/flake";\n\nexport default ▸defineFlake({ description: "hello" } as never);\n`,
      },
      command: ["eval", ".#greeting"],
    },
    {
      heading: "Outputs that are none",
      files: {
        "flake.config.ts": `import { defineFlake } from "#floe/flake";\n\nexport default defineFlake({ ▸outputs: () => "hello" as never });\n`,
      },
      command: ["eval", ".#greeting"],
    },
    {
      heading: "A misspelt field of the flake",
      files: {
        "flake.config.ts": `import { defineFlake } from "#floe/flake";\n\nexport default defineFlake({ ▸output: () => ({ greeting: "hello" }) } as never);\n`,
      },
      command: ["eval", ".#greeting"],
    },
    {
      heading: "A value that holds itself",
      files: {
        "flake.config.ts": flake(
          `{ tree }`,
          `const tree: Record<string, unknown> = { name: "root" };\ntree["child"] = { parent: tree };\n`,
        ),
      },
      command: ["eval", ".#tree"],
      names: "tree",
    },
    {
      heading: "A function where data is asked for",
      files: { "flake.config.ts": flake(`{ greeting: { text: (name: string) => \`hello \${name}\` } }`) },
      command: ["eval", ".#greeting"],
      names: "greeting",
    },
    {
      heading: "A promise where data is asked for",
      files: { "flake.config.ts": flake(`{ greeting: greet() }`, `const greet = async () => "hello";\n`) },
      command: ["eval", ".#greeting"],
      names: "greeting",
    },
    {
      heading: "A derivation without a name",
      files: {
        "flake.config.ts": flake(
          `{ hello: ▸derivation({ system: "x86_64-linux", builder: "/bin/sh" } as never) }`,
          DERIVATION,
        ),
      },
      command: ["eval", ".#hello"],
    },
    {
      heading: "A name that no store path may have",
      files: {
        "flake.config.ts": flake(
          `{ hello: ▸derivation({ name: "hello world", system: "x86_64-linux", builder: "/bin/sh" }) }`,
          DERIVATION,
        ),
      },
      command: ["eval", ".#hello"],
    },
    {
      heading: "A store path written by hand",
      files: {
        "flake.config.ts": flake(
          `{\n    hello: ▸derivation({\n      name: "hello",\n      system: "x86_64-linux",\n      builder: "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-bash-5.2/bin/bash",\n    }),\n  }`,
          DERIVATION,
        ),
      },
      command: ["eval", ".#hello"],
    },
    {
      heading: "A value that an environment cannot hold",
      files: {
        "flake.config.ts": flake(
          `{\n    hello: ▸derivation({ name: "hello", system: "x86_64-linux", builder: "/bin/sh", env: { who: { name: "you" } as never } }),\n  }`,
          DERIVATION,
        ),
      },
      command: ["eval", ".#hello"],
    },
    {
      heading: "A source that there is not",
      files: {
        "flake.config.ts": flake(
          `{\n    hello: derivation({ name: "hello", system: "x86_64-linux", builder: "/bin/sh", env: { src: ▸local("./scr") } }),\n  }`,
          `import { derivation, local } from "#floe/derivation";\n`,
        ),
        "src/hello.c": `int main(void) { return 0; }\n`,
      },
      command: ["eval", ".#hello"],
    },
    {
      heading: "A file that git ignores",
      files: {
        "flake.config.ts": flake("{ greeting }", `import { greeting } from ▸"./greeting.ts";\n`),
        "greeting.ts": `export const greeting = "hello";\n`,
        ".gitignore": "greeting.ts\n",
      },
      prepare: (world) => void world.git(),
      command: ["eval", ".#greeting"],
    },
    {
      heading: "A file that git does not know",
      said: "The folder is a repository; `flake.config.ts` was committed and `greeting.ts` was not added. Such files count, and a notice names them.",
      files: {
        "flake.config.ts": flake("{ greeting: greeting.▸word }", `import { greeting } from "./greeting.ts";\n`),
        "greeting.ts": `export const greeting = undefined as any;\n`,
      },
      prepare: (world) => {
        world.write({ ".gitignore": "greeting.ts\n" });
        world.git();
        world.write({ ".gitignore": "" });
      },
      command: ["eval", ".#greeting"],
    },
  ],
};

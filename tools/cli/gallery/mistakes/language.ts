import { flake, type Section } from "../mistake.ts";

const EVAL = ["eval", ".#greeting"] as const;

/** What is wrong before, or while, the configuration runs. */
export const language: Section = {
  heading: "TypeScript that does not run",
  words: "A configuration is TypeScript whose types are taken away and not looked at; `tsc` looks at them.",
  mistakes: [
    {
      heading: "A bracket is missing",
      files: {
        "flake.config.ts": `import { defineFlake } from "#floe/flake";\n\nexport default defineFlake({\n  outputs: () => ({ greeting: "hello" },\n▸});\n`,
      },
      command: EVAL,
    },
    {
      heading: "An enum",
      files: {
        "flake.config.ts": `import { defineFlake } from "#floe/flake";\n\n▸enum Size {\n  small = 1,\n  large = 10,\n}\n\nexport default defineFlake({ outputs: () => ({ greeting: Size.large }) });\n`,
      },
      command: EVAL,
    },
    {
      heading: "A namespace",
      files: {
        "flake.config.ts": `import { defineFlake } from "#floe/flake";\n\n▸namespace sizes {\n  export const large = 10;\n}\n\nexport default defineFlake({ outputs: () => ({ greeting: sizes.large }) });\n`,
      },
      command: EVAL,
    },
    {
      heading: "JavaScript with a slip",
      files: {
        "flake.config.ts": flake("{ greeting }", `import { greeting } from "./greeting.js";\n`),
        "greeting.js": `export const greeting = "hello" ▸"world";\n`,
      },
      command: EVAL,
    },
    {
      heading: "A file that is not there",
      files: {
        "flake.config.ts": flake("{ greeting }", `import { greeting } from ▸"./greetings.ts";\n`),
        "greeting.ts": `export const greeting = "hello";\n`,
      },
      command: EVAL,
    },
    {
      heading: "An import without its ending",
      files: {
        "flake.config.ts": flake("{ greeting }", `import { greeting } from ▸"./greeting";\n`),
        "greeting.ts": `export const greeting = "hello";\n`,
      },
      command: EVAL,
    },
    {
      heading: "A package of npm",
      files: { "flake.config.ts": flake("{ greeting: chunk }", `import { chunk } from ▸"lodash";\n`) },
      command: EVAL,
    },
    {
      heading: "A module of Node",
      files: {
        "flake.config.ts": flake(
          `{ greeting: readFileSync("/etc/hostname", "utf8") }`,
          `import { readFileSync } from ▸"node:fs";\n`,
        ),
      },
      command: EVAL,
    },
    {
      heading: "A part of Floe that there is not",
      files: {
        "flake.config.ts": flake(`{ greeting: derivation }`, `import { derivation } from ▸"#floe/derivations";\n`),
      },
      command: EVAL,
    },
    {
      heading: "A name that the other file does not export",
      files: {
        "flake.config.ts": flake("{ greeting: greetings }", `import { ▸greetings } from "./greeting.ts";\n`),
        "greeting.ts": `export const greeting = "hello";\n`,
      },
      command: EVAL,
    },
    {
      heading: "A type imported as a value",
      files: {
        "flake.config.ts": flake('{ greeting: "hello" }', `import { ▸Greeting } from "./greeting.ts";\n`),
        "greeting.ts": `export interface Greeting {\n  readonly text: string;\n}\n`,
      },
      command: EVAL,
    },
    {
      heading: "Two files that need each other to begin",
      files: {
        "flake.config.ts": flake("{ greeting }", `import { greeting } from "./greeting.ts";\n`),
        "greeting.ts": `import { name } from "./name.ts";\n\nexport const greeting = \`hello \${name}\`;\n`,
        "name.ts": `import { greeting } from "./greeting.ts";\n\nexport const name = ▸greeting.length > 9 ? "you" : "world";\n`,
      },
      command: EVAL,
    },
    {
      heading: "A file outside of the source",
      files: { "flake.config.ts": flake("{ greeting }", `import { greeting } from ▸"../greeting.ts";\n`) },
      hidden: { "../greeting.ts": `export const greeting = "hello";\n` },
      command: EVAL,
    },
    {
      heading: "A file that is not there, imported when it is asked for",
      files: {
        "flake.config.ts": `import { defineFlake, importLazily } from "#floe/flake";\n\nexport default defineFlake({\n  outputs: () => ({\n    greetings: ▸importLazily<string>({ hello: "./helo.ts" }),\n  }),\n});\n`,
        "hello.ts": `export default "hello";\n`,
      },
      command: ["eval", ".#greetings.hello"],
    },
    {
      heading: "A file without a default export, imported when it is asked for",
      files: {
        "flake.config.ts": `import { defineFlake, importLazily } from "#floe/flake";\n\nexport default defineFlake({\n  outputs: () => ({\n    greetings: ▸importLazily<string>({ hello: "./hello.ts" }),\n  }),\n});\n`,
        "hello.ts": `export const hello = "hello";\n`,
      },
      command: ["eval", ".#greetings.hello"],
    },
    {
      heading: "A file that is asked for while it is being loaded",
      files: {
        "flake.config.ts": flake("{ greeting }", `import { greeting } from "./greeting.ts";\n`),
        "greeting.ts": `import { importSync } from "#floe/flake";\n\nconst { name } = ▸importSync<typeof import("./name.ts")>("./name.ts");\n\nexport const greeting = \`hello \${name}\`;\n`,
        "name.ts": `import { greeting } from "./greeting.ts";\n\nexport const name = "world";\nexport const isLong = () => greeting.length > 9;\n`,
      },
      command: EVAL,
    },
    {
      heading: "Data without its type",
      files: {
        "flake.config.ts": flake("{ greeting: words.hello }", `import words from ▸"./words.json";\n`),
        "words.json": `{ "hello": "hello" }\n`,
      },
      command: EVAL,
    },
    {
      heading: "JSON with a slip",
      files: {
        "flake.config.ts": flake(
          "{ greeting: words.hello }",
          `import words from "./words.json" with { type: "json" };\n`,
        ),
        "words.json": `{\n  "hello": "hello",\n▸}\n`,
      },
      command: EVAL,
    },
    {
      heading: "The network",
      files: { "flake.config.ts": flake(`{ greeting: ▸fetch("http://git.example.org/greeting") }`) },
      command: EVAL,
    },
    {
      heading: "The environment",
      files: { "flake.config.ts": flake(`{ greeting: \`hello \${▸process.env.USER}\` }`) },
      command: EVAL,
    },
    {
      heading: "The clock",
      files: { "flake.config.ts": flake(`{ greeting: \`made at \${Date.▸now()}\` }`) },
      command: EVAL,
    },
    {
      heading: "Chance",
      files: { "flake.config.ts": flake(`{ greeting: ["hello", "hi"][Math.round(Math.▸random())] }`) },
      command: EVAL,
    },
    {
      heading: "Code from text",
      files: { "flake.config.ts": flake(`{ greeting: ▸eval("1 + 1") }`) },
      command: EVAL,
    },
    {
      heading: "Waiting outside of a function",
      files: { "flake.config.ts": flake("{ greeting }", `const greeting = ▸await Promise.resolve("hello");\n`) },
      command: EVAL,
    },
    {
      heading: "An import while it runs",
      files: {
        "flake.config.ts": flake(`{ greeting: ▸import("./greeting.ts") }`),
        "greeting.ts": `export const greeting = "hello";\n`,
      },
      command: EVAL,
    },
    {
      heading: "An error of one's own",
      files: {
        "flake.config.ts": flake(
          "{ greeting: greet(undefined) }",
          `function greet(name: string | undefined): string {\n  if (name === undefined) throw ▸new Error("nobody to greet");\n  return \`hello \${name}\`;\n}\n`,
        ),
      },
      command: EVAL,
    },
    {
      heading: "A member of nothing",
      files: {
        "flake.config.ts": flake("{ greeting: people.anna.▸name }", `const people: any = { ann: { name: "Ann" } };\n`),
      },
      command: EVAL,
    },
    {
      heading: "Functions that call each other for ever",
      files: {
        "flake.config.ts": flake(
          "{ greeting: first(1) }",
          `const first = (n: number): number => ▸second(n + 1);\nconst second = (n: number): number => first(n - 1);\n`,
        ),
      },
      command: EVAL,
    },
    {
      heading: "A loop without end",
      said: 'The settings allow one second, so that the gallery is made soon: `{ "evaluationTimeout": 1 }`.',
      settings: { evaluationTimeout: 1 },
      files: {
        "flake.config.ts": flake(
          "{ greeting: count() }",
          `function count(): number {\n  let n = 0;\n  ▸while (n >= 0) n = (n + 1) % 1000;\n  return n;\n}\n`,
        ),
      },
      command: EVAL,
    },
    {
      heading: "A list without end",
      said: 'The settings allow 64 MiB, so that the gallery is made soon: `{ "evaluationMemory": "64M" }`.',
      settings: { evaluationMemory: "64M" },
      files: {
        "flake.config.ts": flake(
          "{ greeting: count() }",
          `function count(): number {\n  const seen: string[] = [];\n  ▸for (let n = 0; n >= 0; n++) seen.push(String(n).padStart(20));\n  return seen.length;\n}\n`,
        ),
      },
      command: EVAL,
    },
  ],
};

import type { Mistake, Section, World } from "../mistake.ts";

const LOCK = ["flake", "lock"] as const;

/** A flake with these inputs. */
function taking(inputs: string, outputs = `{ greeting: "hello" }`): string {
  return `import { defineFlake } from "#floe/flake";\n\nexport default defineFlake({\n  inputs: {\n    ${inputs}\n  },\n  outputs: ({ inputs }) => (${outputs}),\n});\n`;
}

const one = (heading: string, input: string, more: Partial<Mistake> = {}): Mistake => ({
  heading,
  files: { "flake.config.ts": taking(input) },
  command: LOCK,
  ...more,
});

const PAGES = { "flake.config.ts": taking(`pages: { url: ▸"path:./pages", flake: false },`) };
const withPages = { "pages/index.html": "one\n" };
const locked = (world: World): Promise<void> => world.floe("flake", "lock");

/** Mistakes of inputs, their references and their lock. */
export const inputs: Section = {
  heading: "Inputs and their lock",
  words: "What a flake takes in. The server of these examples is one of the machine that made this page.",
  mistakes: [
    one("A reference that is an address of the web", `lib: ▸"http://git.example.org/library",`),
    one("A misspelt kind of a reference", `lib: ▸"gihub:someone/library",`),
    one("A misspelt parameter", `lib: ▸"git+http://git.example.org/library?reff=main",`),
    {
      heading: "A misspelt field of an input that is computed",
      files: {
        "flake.config.ts": `import { defineFlake } from "#floe/flake";\n\nconst library = (name: string): any => ({ url: \`git+http://git.example.org/\${name}\`, flak: false });\n\nexport default defineFlake({\n  inputs: { library: ▸library("library") },\n  outputs: ({ inputs }) => ({ greeting: \`\${inputs.library}\` }),\n});\n`,
      },
      command: LOCK,
    },
    {
      heading: "A computed reference that is none",
      files: {
        "flake.config.ts": `import { defineFlake } from "#floe/flake";\n\nconst library = (kind: string) => \`\${kind}+http://git.example.org/library\`;\n\nexport default defineFlake({\n  inputs: { library: ▸library("gti") },\n  outputs: ({ inputs }) => ({ greeting: \`\${inputs.library}\` }),\n});\n`,
      },
      command: LOCK,
    },
    {
      heading: "Inputs whose computation fails",
      files: {
        "flake.config.ts": `import { defineFlake } from "#floe/flake";\n\nconst hosts: any = { git: { name: "git.example.org" } };\n\nexport default defineFlake({\n  inputs: { library: \`git+http://\${hosts.gti.▸name}/library\` },\n  outputs: ({ inputs }) => ({ greeting: \`\${inputs.library}\` }),\n});\n`,
      },
      command: LOCK,
    },
    {
      heading: "Inputs that depend on an input",
      files: {
        "flake.config.ts": `import { defineFlake } from "#floe/flake";\n\nexport default defineFlake({\n  ▸inputs: (({ library }: any) => ({ library: "git+http://git.example.org/library", base: library.base })) as never,\n  outputs: ({ inputs }) => ({ greeting: \`\${(inputs as any).base}\` }),\n});\n`,
      },
      command: LOCK,
    },
    one("A name of the registry", `lib: ▸"library",`),
    one("A range of versions that is none", `lib: ▸"git+http://git.example.org/library?semver=^1.x.y",`),
    one("No tag in the range", `lib: ▸"git+http://git.example.org/library?semver=^3.0",`),
    one("A branch that there is not", `lib: ▸"git+http://git.example.org/library?ref=mian",`),
    one(
      "A commit that there is not",
      `lib: ▸"git+http://git.example.org/library?rev=0123456789012345678901234567890123456789",`,
    ),
    one("A repository that there is not", `lib: ▸"git+http://git.example.org/libary",`),
    one("A server that is down", `lib: ▸"git+http://down.example.org/library",`),
    one("An archive that there is not", `lib: ▸"tarball+http://git.example.org/library-1.0.tar.gz",`),
    one("A repository of Mercurial", `lib: ▸"hg+http://git.example.org/library",`),
    one("A folder that there is not", `pages: { url: ▸"path:./pagse", flake: false },`, { hidden: withPages }),
    one("A folder outside of the flake", `pages: { url: ▸"path:/home/you/pages", flake: false },`),
    one("A misspelt field of an input", `pages: { ulr: ▸"path:./pages", flake: false },`, { hidden: withPages }),
    one(
      "An input that follows what there is not",
      `lib: {\n      url: "git+http://git.example.org/library",\n      inputs: { base: { follows: ▸"bass" } },\n    },`,
    ),
    {
      heading: "An input that is not declared",
      files: {
        "flake.config.ts": taking(
          `pages: { url: "path:./pages", flake: false },`,
          `{ greeting: \`\${inputs.▸page}/index.html\` }`,
        ),
      },
      hidden: withPages,
      command: ["eval", ".#greeting"],
    },
    {
      heading: "A lock that does not fit, under `--locked`",
      files: {
        "flake.config.ts": taking(
          `pages: { url: "path:./pages", flake: false },\n    notes: { url: ▸"path:./notes", flake: false },`,
        ),
      },
      hidden: { ...withPages, "notes/one.txt": "one\n" },
      said: "The lock was written before `notes` was declared.",
      prepare: async (world) => {
        const text = taking(`pages: { url: "path:./pages", flake: false },`);
        const now = taking(
          `pages: { url: "path:./pages", flake: false },\n    notes: { url: "path:./notes", flake: false },`,
        );
        world.write({ "flake.config.ts": text });
        await locked(world);
        world.write({ "flake.config.ts": now });
      },
      command: ["eval", ".#greeting", "--locked"],
    },
    {
      heading: "A folder that changed since it was locked",
      files: PAGES,
      hidden: withPages,
      said: "`pages/index.html` was edited after `floe flake lock`, and what was locked is gone from the store.",
      prepare: async (world) => {
        await locked(world);
        world.write({ "pages/index.html": "two\n" });
        await world.floe("store", "gc");
      },
      command: ["eval", ".#greeting"],
    },
    {
      heading: "A misspelt input to update",
      files: { "flake.config.ts": taking(`pages: { url: "path:./pages", flake: false },`) },
      hidden: withPages,
      command: ["flake", "update", "page"],
    },
    {
      heading: "A lock with marks of a merge",
      files: {
        "flake.config.ts": taking(`pages: { url: "path:./pages", flake: false },`),
        "lock.json": `{\n▸<<<<<<< HEAD\n  "version": 1,\n=======\n  "version": 1,\n>>>>>>> theirs\n  "root": "root",\n  "nodes": { "root": { "inputs": {} } }\n}\n`,
      },
      hidden: withPages,
      command: LOCK,
    },
    {
      heading: "A lock that says something twice",
      files: {
        "flake.config.ts": taking(`pages: { url: "path:./pages", flake: false },`),
        "lock.json": `{\n  "version": 1,\n  "root": "root",\n  "nodes": { "root": { "inputs": {} } },\n  ▸"nodes": { "root": { "inputs": {} } }\n}\n`,
      },
      hidden: withPages,
      command: LOCK,
    },
    {
      heading: "A lock of another version",
      files: {
        "flake.config.ts": taking(`pages: { url: "path:./pages", flake: false },`),
        "lock.json": `{\n  "version": ▸7,\n  "root": "root",\n  "nodes": { "root": { "inputs": {} } }\n}\n`,
      },
      hidden: withPages,
      command: LOCK,
    },
    {
      heading: "A lock edited by hand",
      files: {
        "flake.config.ts": taking(`pages: { url: "path:./pages", flake: false },`),
        "lock.json": `{\n  "version": 1,\n  "root": "root",\n  "nodes": {\n    "pages": {\n      "original": "path:./pages",\n      "flake": false,\n      "locked": { "type": "path", "path": "./pages", "narHash": ▸"sha256-abc", "lastModified": 0 }\n    },\n    "root": { "inputs": { "pages": "pages" } }\n  }\n}\n`,
      },
      hidden: withPages,
      command: LOCK,
    },
    {
      heading: "Nothing may be downloaded",
      files: { "flake.config.ts": taking(`lib: ▸"git+http://git.example.org/library",`) },
      command: ["flake", "lock", "--offline"],
    },
    {
      heading: "A flake that there is not",
      command: ["build", "./sites#default"],
    },
    {
      heading: "A name that the registry does not know",
      command: ["build", "library#default"],
    },
  ],
};

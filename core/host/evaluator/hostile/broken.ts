import type { HostileCase } from "./corpus.ts";

const config = (name: string, file: NonNullable<HostileCase["files"]>[string], refused: string): HostileCase => ({
  name: `a flake.config.ts that is ${name}`,
  files: { "flake.config.ts": file },
  refused,
});

/** Files that are no configuration. */
export const BROKEN: readonly HostileCase[] = [
  config("a folder", { folder: true }, "evaluation.import-not-a-file"),
  config("a pipe", { pipe: true }, "evaluation.import-not-a-file"),
  config("a link out of the source", { link: "/etc/passwd" }, "evaluation.import-symlink-escape"),
  config("a link to nothing", { link: "nothing.ts" }, "evaluation.import-missing"),
  config("a program", { bytes: [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0xff, 0xfe, 0x80] }, "evaluation.not-text"),
  config("not UTF-8", { bytes: [...Buffer.from("export default 1; // "), 0xe9, 10] }, "evaluation.not-text"),
  config("ten megabytes", `// ${"x".repeat(10 * 1024 * 1024)}\n`, "evaluation.import-too-large"),
  config("empty", "", "flake.malformed"),
  config("a slip of the pen", "const a = 1;\nexport default { outputs( { return {}; } };\n", "evaluation.syntax"),
  config("brackets without end", `export default ${"[".repeat(200_000)}\n`, "evaluation.syntax"),
  config("calls without end", `export default ${"(".repeat(20_000)}1${")".repeat(20_000)};\n`, "evaluation.syntax"),
  config("zeros", { bytes: [0, 0, 0, 0] }, "evaluation.syntax"),
  config("waiting", "/*@*/await new Promise(() => {});\nexport default {};\n", "evaluation.top-level-await"),
  {
    name: "a link inside of the source",
    files: { "flake.config.ts": { link: "real.ts" }, "real.ts": "export default { outputs: () => ({ a: 1 }) };\n" },
    value: 1,
  },
  {
    name: "a mark of byte order",
    files: { "flake.config.ts": "\ufeffexport default { outputs: () => ({ a: 1 }) };\n" },
    value: 1,
  },
];

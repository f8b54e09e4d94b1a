import { flake, type Section } from "../mistake.ts";

/** Mistakes of the command line and its settings. */
export const commands: Section = {
  heading: "The command line",
  words: "A command that was not understood ends with 64.",
  mistakes: [
    { heading: "A misspelt command", command: ["biuld", ".#hello"], exitCode: 64 },
    { heading: "A misspelt flag", command: ["build", ".#hello", "--dryrun"], exitCode: 64 },
    { heading: "A missing argument", command: ["hash", "path"], exitCode: 64, names: "PATH", store: false },
    { heading: "A number that is none", command: ["build", ".#hello", "--max-jobs", "many"], exitCode: 64 },
    { heading: "A hash that is none", command: ["hash", "convert", "sha256-abc"], store: false },
    {
      heading: "A store path that is not there",
      command: ["store", "info", "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-hello"],
    },
    { heading: "A folder that is not there", command: ["store", "add", "./scr"] },
    {
      heading: "Settings with a slip",
      settings: { evaluationTimeout: "long" },
      said: '`~/.config/floe/settings.json` has `{ "evaluationTimeout": "long" }`.',
      files: { "flake.config.ts": flake(`{ greeting: "hello" }`) },
      command: ["eval", ".#greeting"],
      names: "settings.json",
    },
  ],
};

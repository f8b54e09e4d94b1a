import { test } from "uvu";
import * as assert from "uvu/assert";
import { adviceOnValue } from "./type-advice.ts";

const CASES: readonly (readonly [unknown, string, string])[] = [
  ["verbose", 'one of "error", "info", "debug"', 'Write one of them: "error".'],
  ["inof", 'one of "error", "info", "debug"', 'Write one of them: "info".'],
  [7, 'one of "error", "info"', 'Write one of them: "error".'],
  ["8080", "a whole number from 0 to 65535", "Write it without quotes: 8080."],
  ["-1.5", "a number", "Write it without quotes: -1.5."],
  ["true", "a boolean", "Write it without quotes: true."],
  ["srv/pages", "an absolute path", 'Write it from the root ("/srv/pages"), or as a file of the flake: local("./…").'],
  ["./pages", "an absolute path", 'Write it from the root ("/pages"), or as a file of the flake: local("./…").'],
  ["notes", "a list of texts", 'Write it as a list: ["notes"].'],
  [80, "text", 'Write it in quotes: "80".'],
  [false, "text", 'Write it in quotes: "false".'],
  [["a"], "an attribute set of texts", "Write it with names: { name: … }."],
  [
    80800,
    "a whole number from 0 to 65535",
    "Write a whole number from 0 to 65535, or take the definition out: then the default counts.",
  ],
  ["much", "a whole number", "Write a whole number, or take the definition out: then the default counts."],
  [null, "text", "Write text, or take the definition out: then the default counts."],
];

test("adviceOnValue() says what to write in the place of a value", () => {
  for (const [value, expected, advice] of CASES) assert.is(adviceOnValue(value, expected), advice);
});

test.run();

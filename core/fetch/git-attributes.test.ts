import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as fc from "fast-check";
import { attributeOf, parseAttributes } from "./git-attributes.ts";

/** The attribute `filter` of each path, with these files of attributes by their folder. */
function ours(files: Readonly<Record<string, string>>, paths: readonly string[]): string[] {
  const rules = new Map(Object.entries(files).map(([folder, text]) => [folder, parseAttributes(text)]));
  return paths.map((path) => {
    const value = attributeOf(path, "filter", (folder) => rules.get(folder) ?? []);
    return value === undefined ? "unspecified" : value === true ? "set" : value === false ? "unset" : value;
  });
}

const folder = mkdtempSync(`${tmpdir()}/floe-attributes-`);
test.after(() => rmSync(folder, { recursive: true, force: true }));
execFileSync("git", ["init", "--quiet", folder]);

/** The same from git itself. */
function theirs(files: Readonly<Record<string, string>>, paths: readonly string[]): string[] {
  for (const [place, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, place, "x")), { recursive: true });
    writeFileSync(join(folder, place, ".gitattributes"), text);
  }
  const input = paths.map((path) => `${path}\0`).join("");
  const env = { ...process.env, GIT_CONFIG_NOSYSTEM: "1", HOME: folder };
  const said = execFileSync("git", ["check-attr", "-z", "--stdin", "filter"], {
    cwd: folder,
    input,
    env,
    encoding: "utf8",
    stdio: ["pipe", "pipe", "ignore"],
  });
  const words = said.split("\0");
  return paths.map((_, i) => words[i * 3 + 2] as string);
}

const PATHS = [
  "a.bin",
  "dir/a.bin",
  "dir/sub/b.bin",
  "dir/a b.png",
  "b",
  "dir/b",
  "sub/a.bin",
  "x[1].bin",
  "dir/x.y.bin",
  "é.bin",
];

test("attributeOf() says what git says", () => {
  const files = {
    "": `# a comment
*.bin filter=lfs diff=lfs merge=lfs -text
[attr]large filter=lfs -text
"dir/a b.png" large
dir/b large
/b !filter
sub/ filter=lfs
x\\[1\\].bin -filter
di**/b.bin diff
`,
    dir: "*.bin -filter\nsub/** filter=other\n!a.bin filter=lfs\n/x.[a-z].bin filter=lfs\n",
  };
  assert.equal(ours(files, PATHS), theirs(files, PATHS));
  assert.equal(ours(files, PATHS), [
    ...["lfs", "unset", "other", "lfs", "unspecified", "lfs", "lfs", "unset", "lfs", "lfs"],
  ]);
});

test("attributeOf() says what git says, for patterns that git-lfs writes and patterns of any kind", () => {
  const piece = fc.constantFrom(
    ...[
      "*",
      "**",
      "**/",
      "/**",
      "?",
      "a",
      "b",
      "dir",
      "/",
      ".bin",
      "[a-c]",
      "[!a]",
      "[[:space:]]",
      "[[:alpha:]]",
      "\\b",
      "\\*",
      "sub",
      "x",
    ],
  );
  const pattern = fc.array(piece, { minLength: 1, maxLength: 5 }).map((pieces) => pieces.join(""));
  const word = fc.constantFrom("filter=lfs", "filter", "-filter", "!filter", "text");
  const line = fc.tuple(pattern, word).map(([each, said]) => `${each} ${said}`);
  const text = fc.array(line, { minLength: 1, maxLength: 12 }).map((lines) => `${lines.join("\n")}\n`);
  fc.assert(
    fc.property(text, text, (top, dir) => {
      const files = { "": top, dir };
      assert.equal(ours(files, PATHS), theirs(files, PATHS), JSON.stringify(files));
    }),
    { numRuns: Number(process.env["RUNS"] ?? 80) },
  );
});

test.run();

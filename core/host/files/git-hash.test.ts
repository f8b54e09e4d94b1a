import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { concatBytes, formatHash, utf8 } from "../../base/index.ts";
import { dumpNar, type NarNode } from "../../store/index.ts";
import { anyTree } from "../../store/testing.ts";
import { hashGit, removeTree, restoreNar } from "./index.ts";

/** The program git says how it names each tree. */
const present = spawnSync("git", ["--version"]).status === 0;
const referee = present ? test : test.skip;
if (!present) console.log("skipped: git is not on the PATH, so it cannot be asked for the names of trees");

const ALGORITHMS = ["sha1", "sha256"] as const;
const work = mkdtempSync(join(tmpdir(), "floe-git-hash-"));
test.after(() => removeTree(work));

function git(repository: string, args: readonly string[], input: Uint8Array = new Uint8Array()): string {
  const env = { PATH: process.env["PATH"], HOME: work, GIT_CONFIG_NOSYSTEM: "1", GIT_DIR: repository };
  return String(execFileSync("git", args, { input, env })).trim();
}

function makeRepository(algorithm: string): string {
  const repository = join(work, algorithm);
  git(repository, ["init", "-q", "--bare", `--object-format=${algorithm}`]);
  return repository;
}

/** What git calls a tree, object by object: an index could not hold empty directories. */
function nameOf(repository: string, node: NarNode): string {
  if (node.type === "regular") return git(repository, ["hash-object", "-w", "--stdin"], node.contents);
  if (node.type === "symlink") return git(repository, ["hash-object", "-w", "--stdin"], utf8(node.target));
  const entries = [...node.entries].map(([name, child]) => {
    const [mode, type] =
      child.type === "directory"
        ? ["040000", "tree"]
        : [child.type === "symlink" ? "120000" : child.executable ? "100755" : "100644", "blob"];
    return utf8(`${mode} ${type} ${nameOf(repository, child)}\t${name}\0`);
  });
  return git(repository, ["mktree", "-z"], concatBytes(entries));
}

referee("hashGit() names every tree as `git mktree` and `git hash-object` do", async () => {
  for (const algorithm of ALGORITHMS) {
    const repository = makeRepository(algorithm);
    let count = 0;
    await fc.assert(
      fc.asyncProperty(anyTree, anyTree, async (a, b) => {
        const tree: NarNode = {
          type: "directory",
          entries: new Map([
            ["x", a],
            ["x.c", b],
          ]),
        };
        const place = join(work, `${algorithm}-tree-${++count}`);
        await restoreNar(pieces(dumpNar(tree)), place);
        assert.is(formatHash(await hashGit(place, algorithm), "base16"), nameOf(repository, tree));
      }),
      { numRuns: 25 },
    );
  }
});

referee("hashGit() names what is committed as `git write-tree` does", async () => {
  const tree = join(work, "source");
  mkdirSync(join(tree, "lib"), { recursive: true });
  mkdirSync(join(tree, "lib-x"));
  writeFileSync(join(tree, "lib.c"), "int x;\n");
  writeFileSync(join(tree, "lib/é"), "");
  writeFileSync(Buffer.concat([Buffer.from(join(tree, "lib-x/")), Buffer.from([0xff])]), "big ".repeat(100_000));
  writeFileSync(join(tree, "run"), "#!/bin/sh\n");
  chmodSync(join(tree, "run"), 0o755);
  symlinkSync("../elsewhere", join(tree, "link"));
  for (const algorithm of ALGORITHMS) {
    const repository = join(work, `index-${algorithm}`);
    git(repository, ["init", "-q", "--bare", `--object-format=${algorithm}`]);
    git(repository, ["--work-tree", tree, "add", "-A", "-f", "."]);
    assert.is(formatHash(await hashGit(tree, algorithm), "base16"), git(repository, ["write-tree"]));
  }
});

test("hashGit() leaves out what a filter does, and takes no other algorithm", async () => {
  const tree = join(work, "filtered");
  mkdirSync(join(tree, "kept"), { recursive: true });
  const bare = await hashGit(tree, "sha1");
  writeFileSync(join(tree, "left-out"), "x");
  assert.equal(await hashGit(tree, "sha1", { filter: (path) => path !== "left-out" }), bare);
  const error = await hashGit(tree, "sha512").catch((thrown: unknown) => thrown as { code: string });
  assert.is((error as { code: string }).code, "content-address.algorithm");
});

async function* pieces(all: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* all;
}

test.run();

import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { removeTree } from "../../core/host/files/index.ts";
import { type Contender, compare, onDisk, runQuietly } from "./measure.ts";
import { FLOE } from "./no-op.ts";
import { withFreshStore } from "./scratch-stores.ts";

const ROUNDS = 5;
const FILE_BYTES = 1_000_000_000;
const TREE_FILES = 20_000;
const OBJECTS = 5_000;

interface Place {
  readonly directory: string;
}

/** An empty object first: the store is made, and everything a first command does once is done. */
async function makeStores(
  directory: string,
): Promise<{ ours: (root: string) => Promise<string>; theirs: (root: string) => Promise<string> }> {
  const seed = join(directory, "seed");
  writeFileSync(seed, "");
  return {
    ours: (root) => runQuietly(FLOE, ["store", "add", "--store", root, seed], directory),
    theirs: (root) => runQuietly("nix-store", ["--store", root, "--add", seed], directory),
  };
}

/** Contenders that add one file or tree to a store of their own. */
async function adding(
  directory: string,
  what: string,
  { keep }: { readonly keep: boolean },
): Promise<{ ours: Contender; theirs: Contender }> {
  const make = await makeStores(directory);
  const options = { keep };
  return {
    ours: withFreshStore(
      "floe store add",
      directory,
      make.ours,
      (root) => runQuietly(FLOE, ["store", "add", "--store", root, what], directory),
      options,
    ),
    theirs: withFreshStore(
      "nix-store --add",
      directory,
      make.theirs,
      (root) => runQuietly("nix-store", ["--store", root, "--add", what], directory),
      options,
    ),
  };
}

function makeBigFile(directory: string): string {
  const file = join(directory, "big");
  const fd = openSync(file, "w");
  const piece = randomBytes(FILE_BYTES / 100);
  for (let i = 0; i < 100; i++) writeSync(fd, piece);
  closeSync(fd);
  return file;
}

/**
 * One file of 1 GB. Ours is on disk when it is reported, theirs in the page cache; so a second comparison lets both wait until the
 * disk has it.
 */
export async function benchAddFile({ directory }: Place): Promise<void> {
  const file = makeBigFile(directory);
  const { ours, theirs } = await adding(directory, file, { keep: false });
  await compare({ title: "add a file of 1 GB", rounds: ROUNDS, ours, theirs });
  await compare({
    title: "add a file of 1 GB, both on the disk",
    rounds: ROUNDS,
    ours,
    theirs: onDisk(theirs, directory),
  });
  removeTree(file);
}

/** Many small files, in directories of a hundred. */
export async function benchAddTree({ directory }: Place): Promise<void> {
  const tree = join(directory, "tree");
  for (let i = 0; i < TREE_FILES; i++) {
    if (i % 100 === 0) mkdirSync(join(tree, `d${i / 100}`), { recursive: true });
    writeFileSync(join(tree, `d${Math.floor(i / 100)}/file-${i}`), `${i}\n`.repeat(1 + ((i * 37) % 500)));
  }
  await compare({
    title: `add a tree of ${TREE_FILES} files`,
    rounds: ROUNDS,
    ...(await adding(directory, tree, { keep: true })),
  });
  removeTree(tree);
}

/** Many objects of one file each, as one stream. */
export async function benchImport({ directory }: Place): Promise<void> {
  const make = await makeStores(directory);
  const files = join(directory, "files");
  const source = join(directory, "source");
  mkdirSync(files);
  for (let i = 0; i < OBJECTS; i++) writeFileSync(join(files, `f${i}`), `file number ${i}\n`.repeat(1 + (i % 50)));
  await runQuietly(
    "sh",
    ["-c", `ls ${files} | sed "s|^|${files}/|" | xargs nix-store --store ${source} --add > paths`],
    directory,
  );
  await runQuietly("sh", ["-c", `nix-store --store ${source} --export $(cat paths) > stream`], directory);
  const importing = (program: string) => (root: string) =>
    runQuietly("sh", ["-c", `${program.replace("ROOT", root)} < stream`], directory);
  await compare({
    title: `import ${OBJECTS} objects of one file`,
    rounds: ROUNDS,
    ours: withFreshStore("floe store import", directory, make.ours, importing(`${FLOE} store import --store ROOT`)),
    theirs: withFreshStore("nix-store --import", directory, make.theirs, importing("nix-store --store ROOT --import")),
  });
  for (const each of [files, source]) removeTree(each);
}

/** An archive of 1 GB, and its hash. */
export async function benchDump({ directory }: Place): Promise<void> {
  const file = makeBigFile(directory);
  const theirs = {
    name: "nix-store --dump | sha256sum",
    run: () => runQuietly("sh", ["-c", `nix-store --dump ${file} | sha256sum`], directory).then(() => {}),
  };
  await compare({
    title: "hash the archive of 1 GB",
    rounds: ROUNDS,
    ours: { name: "floe hash path", run: () => runQuietly(FLOE, ["hash", "path", file], directory).then(() => {}) },
    theirs,
  });
  await compare({
    title: "dump the archive of 1 GB into a program that hashes it",
    rounds: ROUNDS,
    ours: {
      name: "floe nar dump | sha256sum",
      run: () => runQuietly("sh", ["-c", `${FLOE} nar dump ${file} | sha256sum`], directory).then(() => {}),
    },
    theirs,
  });
  removeTree(file);
}

/** What a command costs that does next to nothing. */
export async function benchStartUp({ directory }: Place): Promise<void> {
  const make = await makeStores(directory);
  const root = join(directory, "start");
  mkdirSync(root);
  const path = (await make.ours(root)).trim();
  const theirs = (words: readonly string[]): Contender => ({
    name: `nix-store ${words[0]}`,
    run: () => runQuietly("nix-store", words, directory).then(() => {}),
  });
  const ours = (words: readonly string[]): Contender => ({
    name: `floe ${words.slice(0, 2).join(" ")}`,
    run: () => runQuietly(FLOE, words, directory).then(() => {}),
  });
  await compare({ title: "version", rounds: 11, ours: ours(["--version"]), theirs: theirs(["--version"]) });
  await compare({
    title: "facts of one object",
    rounds: 11,
    ours: ours(["store", "info", path, "--store", root]),
    theirs: theirs(["--query", "--hash", path, "--store", root]),
  });
  removeTree(root);
}

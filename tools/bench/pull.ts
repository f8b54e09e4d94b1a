import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BuildBench } from "../../core/host/builder/testdata/build-bench.ts";
import { removeTree } from "../../core/host/files/index.ts";
import { openLocalStore } from "../../core/host/local-store/index.ts";
import { type Contender, compare, onDisk, runQuietly } from "./measure.ts";
import { FLOE } from "./no-op.ts";

const BIG_BYTES = 300 * 1024 * 1024;
const SMALL_FILES = 20_000;
const SMALL_PATHS = 2_000;
const NIX = ["--extra-experimental-features", "nix-command", "--option", "substituters", ""];

/** Taking objects from a cache of the web, packed with zstd by Nix, into an empty store. The server is a plain one for both. */
export async function benchPull({ directory }: BuildBench): Promise<void> {
  const work = join(directory, "pull");
  mkdirSync(work, { recursive: true });
  const source = openLocalStore({ root: join(work, "source") });
  const big = await source.addTree({ name: "big", from: makeBig(join(work, "big")) });
  const small = await source.addTree({ name: "small", from: makeSmall(join(work, "small")) });
  const paths = await source.batch(() =>
    Array.from({ length: SMALL_PATHS }, (_, i) => source.addText(`text-${i}`, `${i}\n`.repeat(200), [])),
  );
  const top = source.addText("texts", paths.join("\n"), paths);
  source.close();
  const cache = join(work, "cache");
  const to = `file://${cache}?compression=zstd`;
  await runQuietly(
    "nix",
    [...NIX, "copy", "--from", join(work, "source"), "--to", to, big, small, top, "--no-check-sigs"],
    work,
  );
  const server = await serve(cache);
  try {
    await compareOne(work, server.url, `pull ${BIG_BYTES / 1024 / 1024} MB, zstd`, big);
    await compareOne(work, server.url, `pull ${SMALL_FILES} small files in one object, zstd`, small);
    await compareOne(work, server.url, `pull ${SMALL_PATHS} small objects, zstd`, top);
  } finally {
    server.stop();
    removeTree(work);
  }
}

async function compareOne(work: string, url: string, title: string, path: string): Promise<void> {
  // Each run has a target of its own, and they go at the end; see `withFreshStore`.
  const target = (who: string): string => mkdtempSync(join(work, `target-${who}-`));
  const quietly = async (program: string, args: readonly string[]): Promise<void> => {
    await runQuietly(program, args, work);
  };
  const ours: Contender = {
    name: "floe copy",
    run: () => quietly(FLOE, ["copy", "--store", target("ours"), "--from", url, path]),
  };
  const theirs: Contender = {
    name: "nix copy",
    run: () => quietly("nix", [...NIX, "copy", "--from", url, "--to", target("theirs"), path]),
  };
  await compare({ title, rounds: 5, ours, theirs });
  await compare({ title: `${title}, both on the disk`, rounds: 5, ours, theirs: onDisk(theirs, work) });
}

/** As programs are: some of it repeats, some of it does not. */
function makeBig(directory: string): string {
  mkdirSync(directory);
  const words = Buffer.from("the quick brown fox jumps over the lazy dog; 0123456789 ".repeat(100));
  for (let file = 0; file < 30; file++) {
    const contents = Buffer.alloc(BIG_BYTES / 30);
    for (let at = 0; at < contents.length; at += 8192) {
      randomBytes(3072).copy(contents, at);
      words.copy(contents, at + 3072);
    }
    writeFileSync(join(directory, `library-${file}`), contents);
  }
  return directory;
}

function makeSmall(directory: string): string {
  for (let folder = 0; folder < SMALL_FILES / 100; folder++) {
    mkdirSync(join(directory, `folder-${folder}`), { recursive: true });
    for (let file = 0; file < 100; file++)
      writeFileSync(
        join(directory, `folder-${folder}/file-${file}`),
        `file ${folder} ${file}\n`.repeat(1 + (file % 60)),
      );
  }
  return directory;
}

function serve(directory: string): Promise<{ readonly url: string; stop(): void }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "static-server.ts"), directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.stdout.setEncoding("utf8").once("data", (text: string) => {
      resolve({ url: text.trim(), stop: () => child.kill() });
    });
  });
}

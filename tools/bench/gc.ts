import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { formatHash, hashBytes, utf8 } from "../../core/base/index.ts";
import type { BuildBench } from "../../core/host/builder/testdata/build-bench.ts";
import { openLocalStore } from "../../core/host/local-store/index.ts";
import { dumpFileNar, makeTextPath, STORE_DIRECTORY, type StorePath } from "../../core/store/index.ts";
import { compare, runQuietly } from "./measure.ts";
import { FLOE } from "./no-op.ts";

const COUNT = 20_000;

/** A store of {@link COUNT} live and as many dead objects, that can be brought back after it was collected. */
interface FullStore {
  readonly root: string;
  /** Each refers to three of those before it. */
  readonly live: readonly StorePath[];
  readonly dead: readonly { readonly path: StorePath; readonly text: string }[];
}

/** Collecting: half of the objects of a large store, small files with three references each, are dead. */
export async function benchGc({ directory }: BuildBench): Promise<void> {
  const folder = mkdtempSync(join(directory, "gc-"));
  const [our, their] = ["ours", "theirs"].map((name) => makeStore(join(folder, name))) as [FullStore, FullStore];
  await compare({
    title: `collecting ${COUNT} dead among ${COUNT} live store objects`,
    rounds: 5,
    ours: {
      name: "floe store gc",
      prepare: () => refill(our),
      run: () => runQuietly(FLOE, ["store", "gc", "--store", our.root], directory).then(() => {}),
    },
    theirs: {
      name: "nix-store --gc",
      prepare: () => refill(their),
      run: () => runQuietly("nix-store", ["--gc", "--store", their.root], directory).then(() => {}),
    },
  });
  for (const { root } of [our, their]) checkCollected(root);
}

/** A store of small files with a few references each, all as both programs have them. */
export function makeStore(root: string): FullStore {
  openLocalStore({ root }).close();
  const database = new DatabaseSync(databaseOf(root));
  const insert = database.prepare(
    "insert into ValidPaths (path, hash, registrationTime, narSize) values (?, ?, 1600000000, ?)",
  );
  const refer = database.prepare("insert into Refs (referrer, reference) values (?, ?)");
  const make = (kind: string): { path: StorePath; text: string; id: number }[] => {
    const made: { path: StorePath; text: string; id: number }[] = [];
    for (let i = 0; i < COUNT; i++) {
      const text = `${kind} ${i}`;
      const numbers = new Set([i - 1, (i * 7) % (i + 1), (i * 13) % (i + 1)].filter((j) => j >= 0 && j < i));
      const references = [...numbers].flatMap((j) => made[j] ?? []);
      const path = makeTextPath(
        `${kind}-${i}`,
        text,
        references.map((each) => each.path),
      );
      const nar = dumpFileNar(utf8(text));
      const { lastInsertRowid } = insert.run(path, formatHash(hashBytes("sha256", nar), "typed-base16"), nar.length);
      for (const { id } of references) refer.run(lastInsertRowid, id);
      made.push({ path, text, id: Number(lastInsertRowid) });
    }
    return made;
  };
  database.exec("begin");
  const [live, dead] = [make("live"), make("dead")];
  database.exec("commit; pragma wal_checkpoint(truncate)");
  database.close();
  copyFileSync(databaseOf(root), `${root}.sqlite`);
  for (const { path, text } of [...live, ...dead]) writeObject(root, path, text);
  const spare = spareOf(root);
  mkdirSync(spare);
  for (const { path } of dead) linkSync(root + path, spare + path.slice(STORE_DIRECTORY.length));
  symlinkSync(live.at(-1)?.path as string, join(root, "nix/var/nix/gcroots/live"));
  return { root, live: live.map(({ path }) => path), dead };
}

/** As if it had never been collected. Files come back by links: to write them again takes longer than collecting them. */
function refill({ root, dead }: FullStore): void {
  for (const suffix of ["-wal", "-shm"]) rmSync(databaseOf(root) + suffix, { force: true });
  copyFileSync(`${root}.sqlite`, databaseOf(root));
  const spare = spareOf(root);
  for (const { path } of dead)
    if (!existsSync(root + path)) linkSync(spare + path.slice(STORE_DIRECTORY.length), root + path);
}

/** Where the dead objects of a store have a second name. */
function spareOf(root: string): string {
  return `${root}.dead`;
}

function writeObject(root: string, path: StorePath, text: string): void {
  writeFileSync(root + path, text, { mode: 0o444 });
  utimesSync(root + path, 1, 1);
}

function databaseOf(root: string): string {
  return join(root, "nix/var/nix/db/db.sqlite");
}

/** Both did the same. */
function checkCollected(root: string): void {
  using store = openLocalStore({ root, readOnly: true });
  const count = store.allPaths().length;
  if (count !== COUNT) throw new Error(`${count} store objects are left in ${root}, expected ${COUNT}`);
}

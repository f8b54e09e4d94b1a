import { readdirSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { BuildEvent, SubstituteJob } from "../../build/index.ts";
import { MemoryStore, type PathInfo, type StorePath } from "../../store/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { type Substituter, Substituters } from "../substitute/index.ts";
import { SAMPLE_INFO as info, SAMPLE_NAR as nar } from "../substitute/testing.ts";
import { Transfers } from "./transfers.ts";

const test = suite<ReturnType<typeof openTemporaryStore>>("transfers");
test.before.each((context) => void Object.assign(context, openTemporaryStore()));
test.after.each((context) => context.close());

/** A store that says this of any path, and gives this archive. */
function says(url: string, priority: number, answer: PathInfo, pieces: () => AsyncIterable<Uint8Array>): Substituter {
  const store = Object.assign(Object.create(new MemoryStore()) as MemoryStore, { queryPathInfo: () => answer });
  return { url, priority, trusted: true, store, readArchive: pieces };
}

async function* whole(): AsyncGenerator<Uint8Array> {
  yield nar;
}

async function* brokenOff(): AsyncGenerator<Uint8Array> {
  yield nar.subarray(0, 8);
  throw new Error("the line is cut");
}

function transfersFrom(store: ConstructorParameters<typeof Transfers>[0], stores: readonly Substituter[]) {
  const sources = stores.map((each) => ({ url: each.url, open: async () => each }));
  const transfers = new Transfers(store, new Substituters({ sources, trustedKeys: [], warn: () => {} }));
  const events: BuildEvent[] = [];
  const [{ url: from }] = stores as [Substituter];
  const job: SubstituteJob = {
    kind: "substitute",
    id: info.path,
    path: info.path,
    dependencies: [],
    rank: 0,
    offer: { info, from },
  };
  const run = transfers.take(job, (event) => void events.push(event), new AbortController().signal);
  return { run, warnings: () => events.flatMap((event) => (event.kind === "warning" ? [event.message] : [])) };
}

test("take() goes on with the next store when one breaks off", async ({ store }) => {
  const { run, warnings } = transfersFrom(store, [says("a:", 1, info, brokenOff), says("b:", 2, info, whole)]);
  const { from, locks } = await run;
  assert.is(from, "b:");
  assert.equal(warnings(), ["a:: the line is cut"]);
  locks?.release();
});

test("take() fails with substitute.failed when the last store breaks off, and leaves nothing behind", async ({
  store,
}) => {
  const { run } = transfersFrom(store, [says("a:", 1, info, brokenOff)]);
  const error = await run.then(
    () => undefined,
    (thrown) => thrown,
  );
  assert.is(error?.code, "substitute.failed");
  assert.is(error.message, `Cannot fetch "${info.path}": the line is cut`);
  assert.equal(readdirSync(store.realStoreDirectory), []);
});

test("take() does not take from the next store what refers to more than was planned for", async ({ store }) => {
  const more = { ...info, references: [`/nix/store/${"1".repeat(32)}-lib` as StorePath] };
  const { run, warnings } = transfersFrom(store, [says("a:", 1, info, brokenOff), says("b:", 2, more, whole)]);
  const error = await run.then(
    () => undefined,
    (thrown) => thrown,
  );
  assert.is(error?.code, "substitute.other-references");
  assert.is(warnings().length, 2);
  assert.equal(readdirSync(store.realStoreDirectory), []);
});

test.run();

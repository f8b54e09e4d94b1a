import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, utf8 } from "../../base/index.ts";
import { MemoryStore, type PathInfo, publicKeyOf, type Realisation, type StorePath } from "../../store/index.ts";
import { generateSecretKey } from "../signing/index.ts";
import type { Substituter } from "./substituter.ts";
import { Substituters } from "./substituters.ts";
import { SAMPLE_INFO as info, SAMPLE_NAR as nar } from "./testing.ts";

interface Ways {
  /** What it says of any path. */
  readonly answer?: PathInfo;
  readonly pieces?: () => AsyncIterable<Uint8Array>;
  readonly realisation?: Realisation;
}

/** A store that answers as a test wants. */
function substituters({ answer = info, pieces, realisation }: Ways = {}): { all: Substituters; warnings: string[] } {
  const warnings: string[] = [];
  const store = Object.assign(Object.create(new MemoryStore()) as MemoryStore, { queryPathInfo: () => answer });
  const one: Substituter = {
    url: "test:one",
    priority: 1,
    trusted: realisation === undefined,
    store,
    ...(pieces === undefined ? {} : { readArchive: pieces }),
    ...(realisation === undefined ? {} : { queryRealisation: () => realisation }),
  };
  const sources = [{ url: one.url, open: async () => one }];
  const warn = (message: string): void => void warnings.push(message);
  const trustedKeys = [publicKeyOf(generateSecretKey("ours-1"))];
  return { all: new Substituters({ sources, trustedKeys, warn, stallTimeoutMs: 50 }), warnings };
}

async function codeOf(pieces: AsyncIterable<Uint8Array>): Promise<string | undefined> {
  try {
    for await (const _ of pieces);
    return undefined;
  } catch (error) {
    return (error as CodedError).code;
  }
}

async function* given(...pieces: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

test("readNar() gives what was offered", async () => {
  const { all } = substituters({ pieces: () => given(nar) });
  const offer = await all.find(info.path);
  assert.equal([offer?.info, offer?.from], [info, "test:one"]);
  assert.is(await codeOf(all.readNar({ info, from: "test:one" })), undefined);
});

test("readNar() ends an archive that is longer than it is said to be, or stands still", async () => {
  const long = substituters({ pieces: () => given(nar, utf8("and more")) });
  assert.is(await codeOf(long.all.readNar({ info, from: "test:one" })), "substitute.too-long");
  const silent = substituters({
    async *pieces() {
      yield nar.subarray(0, 8);
      // Nothing comes, for as long as anybody waits.
      await new Promise((resolve) => setTimeout(resolve, 10_000).unref());
    },
  });
  const alive = setInterval(() => {}, 1000);
  assert.is(await codeOf(silent.all.readNar({ info, from: "test:one" })), "substitute.stalled");
  clearInterval(alive);
});

test("readNar() takes nothing from a store that is not open, or was left out", async () => {
  const { all } = substituters({ pieces: () => given(nar) });
  assert.is(await codeOf(all.readNar({ info, from: "test:two" })), "substitute.unknown-store");
  all.giveUp("test:one", new Error("it went away"));
  assert.is(await codeOf(all.readNar({ info, from: "test:one" })), "substitute.left-out");
  assert.is(await all.find(info.path), undefined);
});

test("find() takes no answer about another path, and says so", async () => {
  const { all, warnings } = substituters();
  assert.is(await all.find(`/nix/store/${"1".repeat(32)}-y` as StorePath), undefined);
  assert.match(warnings.join("\n"), `Cannot use its answer: asked for "/nix/store/${"1".repeat(32)}-y"`);
});

test("findRealisation() believes nobody without a signature of a trusted key, and says so", async () => {
  const realisation: Realisation = {
    id: `sha256:${"a".repeat(64)}!out`,
    outPath: info.path,
    signatures: [],
    dependentRealisations: new Map(),
  };
  const { all, warnings } = substituters({ realisation });
  assert.is(await all.findRealisation(realisation.id), undefined);
  assert.match(warnings.join("\n"), "no key of ours-1 signed it");
});

test.run();

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CodedError, concatBytes, hashBytes, sortedText } from "../../base/index.ts";
import type { parseDerivation } from "../../derivation/index.ts";
import { type ArrivingObject, MemoryStore, narLength, type PathInfo, type StorePath } from "../../store/index.ts";
import { WORKER_OPERATION, writePathInfo } from "../../store/wire/index.ts";
import { runServeConnection, runWorkerConnection, type ServedStore } from "./index.ts";
import { openServedStore, written } from "./testing.ts";

/** How many connections each fuzzer makes. */
const RUNS = Number(process.env["FUZZ_RUNS"] ?? 1500);
const VECTORS = join(import.meta.dirname, "../../../tools/conformance/vectors");

/** A store that costs nothing to make. */
class ServedMemory extends MemoryStore implements ServedStore {
  readonly #paths = new Set<StorePath>();

  override async importNar(info: PathInfo, nar: AsyncIterable<Uint8Array>): Promise<void> {
    await super.importNar(info, nar);
    this.#paths.add(info.path);
  }

  allPaths(): StorePath[] {
    return sortedText(this.#paths) as StorePath[];
  }

  queryValidDerivers(): StorePath[] {
    return [];
  }

  readDerivation(): ReturnType<typeof parseDerivation> {
    throw new CodedError("store.not-valid", "Cannot use a derivation: there is none");
  }

  addTempRoot(): void {}

  async importInOrder(objects: AsyncIterable<ArrivingObject>): Promise<void> {
    for await (const { info, nar } of objects) await this.importNar(info, nar);
  }
}

const requestsOf = (file: string): Buffer[] =>
  (JSON.parse(readFileSync(join(VECTORS, file), "utf8")) as { cases: { request: string }[] }).cases.map(({ request }) =>
    Buffer.from(request, "base64"),
  );

/** Numbers that somebody could hope to find unchecked. */
const hostile = fc.constantFrom(
  0n,
  1n,
  2n,
  7n,
  255n,
  2n ** 16n,
  2n ** 31n,
  2n ** 32n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
);

/** A conversation as it could have been, with something wrong in it. */
function conversations(file: string): fc.Arbitrary<Uint8Array> {
  const [greeting, hello, ...requests] = requestsOf(file) as [Buffer, Buffer, ...Buffer[]];
  const change = fc.oneof(
    fc.record({ kind: fc.constant("byte" as const), at: fc.nat(), value: fc.integer({ min: 0, max: 255 }) }),
    fc.record({ kind: fc.constant("number" as const), at: fc.nat(), value: hostile }),
    fc.record({ kind: fc.constant("cut" as const), at: fc.nat() }),
    fc.record({ kind: fc.constant("insert" as const), at: fc.nat(), bytes: fc.uint8Array({ maxLength: 24 }) }),
  );
  const spoilt = fc
    .tuple(fc.constantFrom(...requests), fc.array(change, { minLength: 1, maxLength: 3 }))
    .map(([request, changes]) => {
      let bytes = Buffer.from(request);
      for (const each of changes) {
        const at = bytes.length === 0 ? 0 : each.at % bytes.length;
        if (each.kind === "byte" && bytes.length > 0) bytes[at] = each.value;
        else if (each.kind === "number" && bytes.length >= 8)
          bytes.writeBigUInt64LE(each.value, ((at >> 3) << 3) % (bytes.length - 7));
        else if (each.kind === "cut") bytes = bytes.subarray(0, at);
        else if (each.kind === "insert") bytes = Buffer.concat([bytes.subarray(0, at), each.bytes, bytes.subarray(at)]);
      }
      return bytes;
    });
  const noise = fc.uint8Array({ maxLength: 200 });
  const usual = fc.constantFrom(...requests);
  return fc
    .tuple(fc.boolean(), fc.array(fc.oneof(spoilt, usual, noise), { minLength: 1, maxLength: 4 }))
    .map(([polite, parts]) => concatBytes([...(polite ? [greeting, hello] : []), ...parts]));
}

/** The connection ends, and if by an error, then by one of ours. */
async function endsWell(
  bytes: Uint8Array,
  run: (input: AsyncIterable<Uint8Array>) => Promise<void>,
  limitMs = 30_000,
): Promise<void> {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100);
  }
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("the server hangs")), limitMs);
  });
  try {
    await Promise.race([run(pieces()), late]);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
  } finally {
    clearTimeout(timer);
  }
}

const output = { write() {} };

test("the worker protocol's server survives whatever is sent", async () => {
  await fc.assert(
    fc.asyncProperty(conversations("worker-protocol.json"), fc.boolean(), async (bytes, trusted) => {
      const services = { store: new ServedMemory() };
      await endsWell(bytes, (input) => runWorkerConnection({ services, input, output, trusted, version: 0x122 }));
    }),
    { numRuns: RUNS },
  );
});

test("the serve protocol's server survives whatever is sent", async () => {
  await fc.assert(
    fc.asyncProperty(conversations("serve-protocol.json"), fc.boolean(), async (bytes, write) => {
      const services = { store: new ServedMemory() };
      await endsWell(bytes, (input) => runServeConnection({ services, input, output, write }));
    }),
    { numRuns: RUNS },
  );
});

const MOST_BYTES = 48 * 1024 * 1024;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

test("a long archive, a long list and a long text take no memory to speak of", async () => {
  const { services, store, close } = openServedStore();
  try {
    const [greeting, hello] = requestsOf("worker-protocol.json") as [Buffer, Buffer];
    const size = 96 * 1024 * 1024;
    const name = `/nix/store/${"0".repeat(32)}-long`;
    const piece = new Uint8Array(64 * 1024);
    let most = 0;
    const before = process.memoryUsage().arrayBuffers;
    const now = (): number => process.memoryUsage().arrayBuffers - before;
    const held = (): number => {
      // What nobody holds any more is there until it is collected, which may be late on a busy host.
      if (now() >= MOST_BYTES) collectGarbage();
      return now();
    };
    async function* zeros(total: number): AsyncGenerator<Uint8Array> {
      for (let sent = 0; sent < total; sent += piece.length) {
        yield piece.slice();
        most = Math.max(most, held());
      }
    }
    const info: PathInfo = {
      path: name as StorePath,
      narHash: hashBytes("sha256", ""),
      narSize: size,
      references: [],
      signatures: [],
    };
    const archive = await written((writer) => {
      writer.number(WORKER_OPERATION.addToStoreNar).text(info.path);
      writePathInfo(writer, info, 16);
      // One frame of this size, with one file of zeros in it.
      writer.bool(false).bool(true).number(size);
      for (const word of ["nix-archive-1", "(", "type", "regular", "contents"]) writer.text(word);
      writer.number(size);
    });
    // A list of so many paths, a text of so many bytes: more than is allowed is refused at its first number.
    const list = concatBytes([narLength(WORKER_OPERATION.queryValidPaths), narLength(2 ** 31)]);
    const text = concatBytes([
      narLength(WORKER_OPERATION.addTextToStore),
      narLength(1),
      piece.subarray(0, 8),
      narLength(2 ** 31),
    ]);
    for (const [request, follows] of [
      [archive, size / 2],
      [list, size],
      [text, size],
    ] as const) {
      await endsWell(
        new Uint8Array(0),
        async () => {
          async function* input(): AsyncGenerator<Uint8Array> {
            yield concatBytes([greeting, hello, request]);
            yield* zeros(follows);
          }
          await runWorkerConnection({ services, input: input(), output, trusted: true, version: 0x122 });
          assert.unreachable("expected the connection to end");
        },
        120_000,
      );
    }
    assert.ok(most < MOST_BYTES, `it held ${most} bytes`);
    assert.equal(store.allPaths(), []);
  } finally {
    close();
  }
});

test.run();

import { concatBytes, fromBase64, parseHash, toBase64 } from "../../core/base/index.ts";
import {
  exportOrder,
  exportPaths,
  formatRegistration,
  importPaths,
  makeMemorySpool,
  MemoryStore,
  parseRegistrations,
  readExport,
  type PathInfo,
  type StorePath,
} from "../../core/store/index.ts";
import { WireReader } from "../../core/store/wire/index.ts";
import { attemptLater, type Suite } from "./suite.ts";
import { hashOfNar, narOfTree, readVectorTree, type VectorTree } from "./tree.ts";

interface Exported {
  readonly path: StorePath;
  readonly narSize: number;
  readonly narSha256: string;
  readonly references: readonly StorePath[];
  readonly deriver: StorePath | null;
  readonly tree: VectorTree;
}

interface Vectors {
  readonly cases: readonly {
    readonly name: string;
    readonly arguments: readonly StorePath[];
    readonly order: readonly StorePath[];
    readonly paths: readonly Exported[];
    readonly stream: string;
    readonly dumpDb: string;
  }[];
  readonly import: readonly {
    readonly name: string;
    readonly stream: string;
    readonly ok: boolean;
    readonly printed: readonly StorePath[];
    readonly validAfterwards: readonly StorePath[];
  }[];
}

/** Sizes of the pieces streams arrive in. */
const PIECE_SIZES = [Number.MAX_SAFE_INTEGER, 61];

export async function runExport(vectors: Vectors, suite: Suite): Promise<void> {
  for (const v of vectors.cases) {
    await suite.case(v.name, async (compare) => {
      const from = new MemoryStore();
      const infos = new Map<StorePath, PathInfo>();
      for (const each of v.paths) {
        const nar = narOfTree(readVectorTree(each.tree));
        compare(
          `NAR of ${each.path}`,
          { size: nar.length, hash: hashOfNar(nar) },
          { size: each.narSize, hash: each.narSha256 },
        );
        infos.set(each.path, {
          path: each.path,
          narHash: parseHash(each.narSha256, "sha256"),
          narSize: each.narSize,
          references: each.references,
          signatures: [],
          ...(each.deriver === null ? {} : { deriver: each.deriver }),
        });
      }
      const order = exportOrder(v.arguments, (path) => infos.get(path)?.references ?? []);
      compare("order", order, v.order);
      for (const path of order) {
        const { tree } = v.paths.find((each) => each.path === path) as Exported;
        await from.importNar(infos.get(path) as PathInfo, oneByOne([narOfTree(readVectorTree(tree))]));
      }
      compare("stream", toBase64(await collect(exportPaths(from, v.arguments))), v.stream);
      for (const size of PIECE_SIZES) {
        const to = new MemoryStore();
        compare("imported", await importInto(to, fromBase64(v.stream), size), v.order);
        const registrations = [...v.order].sort().map((path) => {
          const { narHash, narSize, ...rest } = to.queryPathInfo(path) as PathInfo;
          return formatRegistration({ ...rest, nar: { hash: narHash, size: narSize } });
        });
        compare("dump of the database", registrations.join(""), v.dumpDb);
      }
      const read = [...parseRegistrations(v.dumpDb.split("\n"))];
      compare("dump written after read", read.map(formatRegistration).join(""), v.dumpDb);
    });
  }
  for (const v of vectors.import) {
    await suite.case(`import ${v.name}`, async (compare) => {
      for (const size of PIECE_SIZES) {
        const store = new MemoryStore();
        const stream = fromBase64(v.stream);
        const printed = await attemptLater(() => importInto(store, stream, size));
        compare("accepted", printed !== undefined, v.ok);
        compare("printed", printed ?? [], v.printed);
        const mentioned = new Set([...v.validAfterwards, ...v.printed, ...(await pathsIn(stream))]);
        compare(
          "valid afterwards",
          [...mentioned].filter((path) => store.isValid(path)),
          v.validAfterwards,
        );
      }
    });
  }
}

function importInto(store: MemoryStore, stream: Uint8Array, size: number): Promise<StorePath[]> {
  return importPaths(store, new WireReader(oneByOne(pieces(stream, size))), makeMemorySpool());
}

/** The objects a stream brings, as far as it can be read. */
async function pathsIn(stream: Uint8Array): Promise<StorePath[]> {
  const paths: StorePath[] = [];
  await attemptLater(async () => {
    for await (const event of readExport(new WireReader(oneByOne([stream])))) {
      if (event.kind === "object") paths.push(event.info.path);
    }
  });
  return paths;
}

function* pieces(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function* oneByOne(parts: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* parts;
}

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return concatBytes(parts);
}

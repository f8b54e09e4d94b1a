import { concatBytes, hashBytes, toBase64, utf8 } from "../../../core/base/index.ts";
import {
  exportOrder,
  exportPaths,
  importPaths,
  makeMemorySpool,
  MemoryStore,
  narLength,
  narString,
  type PathInfo,
  type StorePath,
} from "../../../core/store/index.ts";
import { WireReader } from "../../../core/store/wire/index.ts";
import type { Random } from "../random.ts";
import { sampleInfo, sampleNar, sampleStorePaths } from "../samples.ts";
import { expectSame, inPieces, later, type Target } from "../target.ts";

/** Export streams: taken into a store, and given out again. */
export const exportTarget: Target = {
  sample(random) {
    const objects = sampleStorePaths(random).map((path, i, all) => {
      const references = all.slice(0, i + 1).filter(() => random.chance(2));
      return { info: { ...sampleInfo(random), path, references }, nar: sampleNar(random) };
    });
    return concatBytes([...objects.flatMap(({ info, nar }) => formatObject(info, nar, random)), narLength(0)]);
  },
  words: [
    narLength(0),
    narLength(1),
    narLength(0x4558494e),
    ...["/nix/store/", "..", "", "(", ")"].map(narString),
    utf8("/nix/store/"),
  ],
  async check(input, random) {
    const store = new MemoryStore();
    const reader = new WireReader(later(inPieces(input, random)), { heldBytesLimit: 1024 * 1024 });
    const order = [...new Set(await importPaths(store, reader, makeMemorySpool()))];
    const parts: Uint8Array[] = [];
    for await (const part of exportPaths(store, order)) parts.push(part);
    const again = new MemoryStore();
    const stream = concatBytes(parts);
    const second = await importPaths(again, new WireReader(later([stream])), makeMemorySpool());
    expectSame(
      second.join(),
      exportOrder(order, (path) => store.queryPathInfo(path)?.references ?? []).join(),
      "the order",
    );
    const rest: Uint8Array[] = [];
    for await (const part of exportPaths(again, second)) rest.push(part);
    expectSame(
      toBase64(hashBytes("sha256", concatBytes(rest)).digest),
      toBase64(hashBytes("sha256", stream).digest),
      "the stream",
    );
  },
};

function formatObject(info: PathInfo, nar: Uint8Array, random: Random): Uint8Array[] {
  const signature = random.chance(4) ? [narLength(1), narString("old")] : [narLength(0)];
  const references: readonly StorePath[] = info.references;
  return [
    ...[narLength(1), nar, narLength(0x4558494e), narString(info.path), narLength(references.length)],
    ...references.map(narString),
    ...[narString(info.deriver ?? ""), ...signature],
  ];
}

import { type ArrivingObject, checkNar, ContentCheck, type PathInfo, type StorePath } from "../../store/index.ts";
import { beginRestoreNar, removeTree } from "../files/index.ts";
import { type ImportStreamContext, type Incoming, takeIn } from "./import-stream.ts";

export interface ImportManyOptions {
  /** References first; what they refer to is valid or among them. */
  readonly infos: readonly PathInfo[];
  /** Begins to fetch an archive. */
  readonly open: (info: PathInfo) => AsyncIterable<Uint8Array>;
  /** Archives that are unpacked at the same time. */
  readonly atOnce: number;
  /** Told of each archive that was unpacked and is what it should be. */
  readonly unpacked?: ((info: PathInfo) => void) | undefined;
}

/**
 * Take in many objects, unpacked side by side at temporary places, the largest first, and made valid together. When one fails, those
 * that are complete with all they refer to are kept.
 *
 * @throws {CodedError} `store.nar-mismatch`, `store.content-address-mismatch`, `nar.malformed`, `store.reference-not-valid`,
 *   `store.contested`, and what `open` raises
 */
export async function importMany(store: ImportStreamContext, options: ImportManyOptions): Promise<void> {
  const { infos, open, atOnce, unpacked } = options;
  const missing = infos.filter(({ path }) => !store.isValid(path));
  store.addTempRoots(missing.map(({ path }) => path));
  const complete = new Map<StorePath, Incoming>();
  const queue = [...missing].sort((a, b) => b.narSize - a.narSize);
  let failure: { readonly error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    for (let info = queue.shift(); info !== undefined && failure === undefined; info = queue.shift()) {
      try {
        complete.set(info.path, await unpack(store, info, open(info)));
        unpacked?.(info);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  const whole = wholeOnes(missing, complete);
  try {
    await takeIn(store, whole);
  } catch (error) {
    failure ??= { error };
  }
  const taken = new Set(whole);
  for (const each of complete.values()) {
    if (taken.has(each)) continue;
    await each.finish().catch(() => {});
    removeTree(each.place);
  }
  if (failure !== undefined) throw failure.error;
}

/** Objects that come one after the other are registered when so many wait, or so many bytes. */
const ROUND = { objects: 10_000, bytes: 1024 ** 3 };

/**
 * Take in objects that come one after the other, references first, many at a time. Of one that is valid already the archive is
 * passed over. When one fails, or the next one does not come, those before it are kept.
 *
 * @throws {CodedError} as {@link importMany}, and what `objects` raises
 */
export async function importInOrder(store: ImportStreamContext, objects: AsyncIterable<ArrivingObject>): Promise<void> {
  let round: Incoming[] = [];
  let bytes = 0;
  try {
    for await (const { info, nar } of objects) {
      store.addTempRoots([info.path]);
      if (store.isValid(info.path)) {
        for await (const _ of nar);
        continue;
      }
      round.push(await unpack(store, info, nar));
      bytes += info.narSize;
      if (round.length < ROUND.objects && bytes < ROUND.bytes) continue;
      const whole = round;
      round = [];
      bytes = 0;
      await takeIn(store, whole);
    }
  } catch (error) {
    await takeIn(store, round).catch(() => undefined);
    throw error;
  }
  await takeIn(store, round);
}

async function unpack(store: ImportStreamContext, info: PathInfo, nar: AsyncIterable<Uint8Array>): Promise<Incoming> {
  const place = store.temporaryPlace();
  try {
    const check = new ContentCheck(info);
    const { finish, ...restored } = await beginRestoreNar(check.watch(nar), place);
    try {
      checkNar(info, restored);
      check.finish(restored.narHash);
    } catch (error) {
      await finish().catch(() => {});
      throw error;
    }
    return { info, place, finish };
  } catch (error) {
    removeTree(place);
    throw error;
  }
}

/** Of the complete ones, those that do not refer to one that is missing. */
function wholeOnes(missing: readonly PathInfo[], complete: ReadonlyMap<StorePath, Incoming>): Incoming[] {
  const whole: Incoming[] = [];
  const lacking = new Set<StorePath>();
  for (const { path, references } of missing) {
    const incoming = complete.get(path);
    if (incoming === undefined || references.some((reference) => lacking.has(reference))) lacking.add(path);
    else whole.push(incoming);
  }
  return whole;
}

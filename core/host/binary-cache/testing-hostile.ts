import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import {
  formatNarInfo,
  type NarInfo,
  parseNarInfo,
  publicKeyOf,
  type StorePath,
  storePathDigest,
} from "../../store/index.ts";
import { removeTree, scanTree } from "../files/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { generateSecretKey } from "../signing/index.ts";
import { copyPaths } from "../stores/index.ts";
import { type BinaryCacheStore, FileTransport, HttpTransport, isCacheFault, openBinaryCache } from "./index.ts";
import { type Hook, serveDirectory, type TestServer } from "./testing.ts";

/** A signed cache on this machine whose answers tests change, and the question whether anything came in. */

export const key = generateSecretKey("honest-1");
export const trusted = [publicKeyOf(key)];
/** Soon tried again, so that tests are quick; everything else as always. */
export const QUICK = {
  lookupPolicy: { attempts: 2, baseDelayMs: 1, maxDelayMs: 1000, jitter: "full" },
  transferPolicy: { attempts: 3, baseDelayMs: 1, maxDelayMs: 1000, jitter: "full" },
} as const;
/** Soon given up as well: for servers that say nothing. On a busy host an honest answer may take longer than that. */
export const HASTY = { ...QUICK, timeouts: { connectMs: 2000, stallMs: 400, answerMs: 1500 } } as const;

/** A signed cache with one object that is known by what it was built from. */
export const directory = mkdtempSync(join(tmpdir(), "floe-hostile-"));
export const path = "/nix/store/x5qbk3rdymh6vmm8gfx4kpmkcyzfsi7b-built" as StorePath;
const source = openTemporaryStore();
mkdirSync(source.store.realPath(path));
writeFileSync(join(source.store.realPath(path), "file"), Buffer.alloc(1_500_000, "0123456789"));
const scanned = await scanTree(source.store.realPath(path), { canonicalise: true });
source.store.registerOutputs([{ path, ...scanned, signatures: [] }]);
{
  using cache = await openBinaryCache(
    { transport: new FileTransport(directory), secretKey: key, compression: "none" },
    { create: true },
  );
  await copyPaths({ from: source.store, to: cache, paths: [path], trusted: [] });
}
source.close();
export const NARINFO = `/${storePathDigest(path)}.narinfo`;
export const honest = parseNarInfo(readFileSync(join(directory, NARINFO), "utf8"));
export const NAR = `/${honest.url}`;
export const archive = readFileSync(join(directory, NAR));

export interface Context {
  server: TestServer;
  target: ReturnType<typeof openTemporaryStore>;
  cache: BinaryCacheStore;
}

/** A suite in which each test has a server of the cache, and an empty store. */
export function openSuite(name: string) {
  const test = suite<Context>(name);
  test.before.each(async (context) => {
    const server = await serveDirectory(directory);
    const transport = new HttpTransport(new URL(server.url), QUICK);
    Object.assign(context, { server, target: openTemporaryStore(), cache: await openBinaryCache({ transport }) });
  });
  test.after.each(async ({ server, target, cache }) => {
    cache.close();
    target.close();
    await server.close();
  });
  test.after(() => removeTree(directory));
  return test;
}

/** Answer some paths differently. */
export function answering(server: TestServer, answers: Readonly<Record<string, Hook>>): void {
  server.hook = (request, response) => answers[request.url ?? ""]?.(request, response) ?? false;
}

export const text =
  (contents: string | Uint8Array, headers: Record<string, string> = {}): Hook =>
  (_, response) => {
    response.writeHead(200, headers).end(contents);
    return true;
  };

export const narInfo = (changes: Partial<NarInfo>): Hook => text(formatNarInfo({ ...honest, ...changes }));

export const pull = ({ cache, target }: Context): Promise<unknown> =>
  copyPaths({ from: cache, to: target.store, paths: [path], trusted });

/**
 * A server that says nothing any more is given up. Where the host is so slow that an honest answer before that took too long, there is more time.
 *
 * @param said What the error says, of the time in seconds that is waited for anything.
 */
export async function refusesSilence(context: Context, said: (seconds: number) => string): Promise<void> {
  for (let { stallMs } = HASTY.timeouts as { stallMs: number }; ; stallMs *= 4) {
    const timeouts = { ...HASTY.timeouts, stallMs };
    const url = new URL(context.server.url);
    const cache = await openBinaryCache({ transport: new HttpTransport(url, { ...HASTY, timeouts }) }).catch(() => {});
    if (cache === undefined) continue;
    const { message } = await refuses({ ...context, cache }, "cache.unreachable");
    cache.close();
    if (stallMs < 20_000 && !message.includes(said(stallMs / 1000))) continue;
    return assert.match(message, said(stallMs / 1000));
  }
}

export async function refuses(context: Context, ...codes: string[]): Promise<CodedError> {
  const started = performance.now();
  let error: unknown;
  try {
    await pull(context);
  } catch (caught) {
    error = caught;
  }
  assert.ok(error !== undefined, `expected ${codes}`);
  assert.ok(codes.includes((error as CodedError).code), `expected ${codes}, found ${(error as Error).stack}`);
  assert.ok(isCacheFault(error) || codes.includes("store.not-valid"), "callers can tell");
  assert.ok(performance.now() - started < 20_000);
  assert.equal(context.target.store.allPaths(), []);
  const left = readdirSync(context.target.store.realStoreDirectory).filter((name) => !name.endsWith(".lock"));
  assert.equal(
    left.filter((name) => name !== ".links"),
    [],
    "nothing is left in the store directory",
  );
  return error as CodedError;
}

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, hashBytes } from "../../base/index.ts";
import { formatNarInfo, parseNarInfo, publicKeyOf, type StorePath, storePathDigest } from "../../store/index.ts";
import { FileTransport, openBinaryCache } from "../binary-cache/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { generateSecretKey } from "../signing/index.ts";
import { copyPaths } from "../stores/index.ts";
import { verifyDistant } from "./index.ts";

const key = generateSecretKey("honest-1");
const directory = mkdtempSync(join(tmpdir(), "floe-distant-"));
const source = openTemporaryStore();
const lib = source.store.addText("lib", "library", []);
const app = source.store.addText("app", `see ${lib}`, [lib]);
{
  const transport = new FileTransport(directory);
  using cache = await openBinaryCache({ transport, secretKey: key, compression: "none" }, { create: true });
  await copyPaths({ from: source.store, to: cache, paths: [app], trusted: [] });
}
source.close();
test.after(() => rmSync(directory, { recursive: true }));

const narInfoOf = (path: StorePath): string => join(directory, `${storePathDigest(path)}.narinfo`);

/** What is found, as kinds and paths; the cache is opened anew, since it remembers what it was told. */
async function find(options: Partial<Parameters<typeof verifyDistant>[1]> = {}): Promise<string[]> {
  using cache = await openBinaryCache({ transport: new FileTransport(directory) });
  const { checked, faults } = await verifyDistant(cache, { paths: [lib, app], contents: true, ...options });
  assert.is(checked, (options.paths ?? [lib, app]).length);
  return faults.map(({ kind, path }) => `${kind} ${path}`);
}

/** Change a file of the cache for the length of a test. */
async function having(file: string, contents: string | Uint8Array, run: () => Promise<void>): Promise<void> {
  const before = readFileSync(file);
  writeFileSync(file, contents);
  await run().finally(() => writeFileSync(file, before));
}

test("verifyDistant() finds nothing wrong with an honest cache", async () => {
  const told: string[] = [];
  assert.equal(await find({ onProgress: (done, total) => told.push(`${done}/${total}`) }), []);
  assert.equal(told, ["1/2", "2/2"]);
});

test("verifyDistant() finds archives that are gone, changed, cut off or longer than stated", async () => {
  const info = parseNarInfo(readFileSync(narInfoOf(lib), "utf8"));
  const archive = join(directory, info.url);
  const whole = readFileSync(archive);
  const changed = Uint8Array.from(whole);
  changed[whole.length - 40]! ^= 1;
  const plain = formatNarInfo({ ...info, fileHash: undefined, fileSize: undefined });
  await having(narInfoOf(lib), plain, async () => {
    for (const contents of [changed, whole.subarray(0, 50), Buffer.concat([whole, whole])])
      await having(archive, contents, async () => assert.equal(await find(), [`damaged ${lib}`]));
  });
  await having(archive, changed, async () => {
    assert.equal(await find(), [`damaged ${lib}`]);
    assert.equal(await find({ contents: false }), []);
  });
  rmSync(archive);
  assert.equal(await find(), [`damaged ${lib}`]);
  writeFileSync(archive, whole);
});

test("verifyDistant() finds objects without what they refer to", async () => {
  const before = readFileSync(narInfoOf(lib));
  rmSync(narInfoOf(lib));
  assert.equal(await find({ paths: [app] }), [`incomplete ${app}`]);
  const error = await find().catch((thrown: CodedError) => thrown);
  assert.is((error as CodedError).code, "store.not-valid");
  writeFileSync(narInfoOf(lib), before);
});

test("verifyDistant() counts signatures of what its content does not certify", async () => {
  const info = parseNarInfo(readFileSync(narInfoOf(lib), "utf8"));
  const trustedKeys = [publicKeyOf(key)];
  // Its content certifies it.
  assert.equal(await find({ signaturesNeeded: 1 }), []);
  await having(narInfoOf(lib), formatNarInfo({ ...info, ca: undefined }), async () => {
    assert.equal(await find({ signaturesNeeded: 1, trustedKeys }), []);
    assert.equal(await find({ signaturesNeeded: 2, trustedKeys }), [`untrusted ${lib}`]);
    assert.equal(await find({ signaturesNeeded: 1, trustedKeys: [publicKeyOf(generateSecretKey("other-1"))] }), [
      `untrusted ${lib}`,
    ]);
  });
  const narHash = hashBytes("sha256", "other");
  await having(narInfoOf(lib), formatNarInfo({ ...info, narHash, ca: undefined }), async () =>
    assert.equal(await find({ signaturesNeeded: 1, trustedKeys, contents: false }), [`untrusted ${lib}`]),
  );
});

test("verifyDistant() can be called off", async () => {
  const reason = new Error("called off");
  const error = await find({ signal: AbortSignal.abort(reason) }).catch((thrown: Error) => thrown);
  assert.is(error, reason);
});

test.run();

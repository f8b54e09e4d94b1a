import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, concatBytes, hashBytes, utf8 } from "../../base/index.ts";
import {
  dumpFileNar,
  formatNarInfo,
  NAR_TOKENS,
  type NarInfo,
  narString,
  parseNarInfo,
  publicKeyOf,
  type StorePath,
  storePathDigest,
} from "../../store/index.ts";
import { type BinaryCacheStore, FileTransport, HttpTransport, openBinaryCache } from "../binary-cache/index.ts";
import { type Hook, serveDirectory } from "../binary-cache/testing.ts";
import type { LocalStore } from "../local-store/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { generateSecretKey } from "../signing/index.ts";
import { copyPaths } from "../stores/index.ts";
import { Substituters } from "../substitute/index.ts";
import { buildPaths } from "./build-paths.ts";
import { openBuildBench } from "./testdata/build-bench.ts";

/** Every lie of a cache is told twice: to a build, which does without it, and to a copy, which fails. No byte of it is registered. */
const test = suite("lies of caches");
const bench = await openBuildBench();

/** What a cache says and gives in place of the truth. */
interface Lie {
  readonly narInfo?: Partial<NarInfo> | string | Uint8Array | Hook;
  readonly archive?: Uint8Array | Hook;
  /** How a copy ends. */
  readonly codes: readonly string[];
  /** The lie looks as if the cache did not have the object: nobody is warned. Default false. */
  readonly isMiss?: boolean;
  /** Nothing comes, so it is not waited for long. Default false: on a busy host an honest answer may take a while. */
  readonly isSilence?: boolean;
}

/** Soon tried again, so that tests are quick; everything else as always. */
const QUICK = {
  lookupPolicy: { attempts: 2, baseDelayMs: 1, maxDelayMs: 100, jitter: "full" },
  transferPolicy: { attempts: 2, baseDelayMs: 1, maxDelayMs: 100, jitter: "full" },
} as const;
const HASTY = { ...QUICK, timeouts: { connectMs: 2000, stallMs: 300, answerMs: 1500 } } as const;

const answer =
  (status: number, contents: string | Uint8Array = ""): Hook =>
  (_, response) => {
    response.writeHead(status).end(contents);
    return true;
  };
const silence: Hook = () => true;
const FORGED = "ssOm502XUYSBj8uye1VQSFNXY8gpmkOsioIgKvl06/d/YpGaINx0GsOBeYdKdYpRHpxnyp5+sKzCVOOg2/DgAA==";

if (typeof bench === "string") {
  console.log(`skipped: ${bench}`);
} else {
  const key = generateSecretKey("honest-1");
  const value = await bench.script(`n=0; while [ $n -lt 3000 ]; do echo "line $n"; n=$((n + 1)); done > $out`, {
    name: "true",
  });
  assert.is((await bench.build(value)).exitCode, 0);
  const truth = readFileSync(bench.real(value));
  const path = value.outPath as StorePath;
  const directory = mkdtempSync(`${bench.directory}/cache-`);
  {
    const transport = new FileTransport(directory);
    using cache = await openBinaryCache({ transport, secretKey: key, compression: "none" }, { create: true });
    await copyPaths({ from: bench.store, to: cache, paths: [path], trusted: [] });
  }
  const server = await serveDirectory(directory);
  const narInfoName = `/${storePathDigest(path)}.narinfo`;
  const honest = parseNarInfo(readFileSync(join(directory, narInfoName), "utf8"));
  const archive = readFileSync(join(directory, honest.url));

  const open = ({ isSilence = false }: Partial<Lie> = {}): Promise<BinaryCacheStore> =>
    openBinaryCache({ transport: new HttpTransport(new URL(server.url), isSilence ? HASTY : QUICK) });
  const leftovers = (store: LocalStore): string[] =>
    readdirSync(store.realStoreDirectory).filter(
      (name) => !store.isValid(`/nix/store/${name}`) && name !== ".links" && !name.endsWith(".lock"),
    );
  const asHook = (given: Lie["narInfo"]): Hook | undefined => {
    if (given === undefined || typeof given === "function") return given;
    if (typeof given === "string" || given instanceof Uint8Array) return answer(200, given);
    return answer(200, formatNarInfo({ ...honest, ...given }));
  };
  function tell(lie: Lie): void {
    const [narInfo, nar] = [asHook(lie.narInfo), asHook(lie.archive)];
    server.hook = (request, response) => {
      if (request.url === narInfoName) return narInfo?.(request, response) ?? false;
      return request.url?.startsWith("/nar/") === true ? (nar?.(request, response) ?? false) : false;
    };
  }

  const flipped = Uint8Array.from(archive);
  flipped[500]! ^= 1;
  const other = dumpFileNar(utf8("another object"));
  const climbing = concatBytes([
    ...[NAR_TOKENS.start, NAR_TOKENS.directory, NAR_TOKENS.entry, narString("../../climbed"), NAR_TOKENS.node],
    ...[NAR_TOKENS.symlink, narString("/etc"), NAR_TOKENS.close, NAR_TOKENS.close, NAR_TOKENS.close],
  ]);
  const bomb = (compress: (data: Uint8Array) => Uint8Array): Uint8Array =>
    compress(concatBytes([archive, new Uint8Array(60_000_000)]));
  /** Facts about the file that is sent are made to fit, so that the lie is found by what is in it. */
  const sent = (contents: Uint8Array, compression = "none"): Pick<Lie, "narInfo" | "archive"> => ({
    archive: contents,
    narInfo: { compression, fileHash: hashBytes("sha256", contents), fileSize: contents.length },
  });
  const broken = Uint8Array.from(zstdCompressSync(archive));
  broken.fill(0xff, 40, 400);
  const untold = { fileHash: undefined, fileSize: undefined };

  const LIES: Readonly<Record<string, Lie>> = {
    "another content": { archive: flipped, codes: ["store.nar-mismatch"] },
    "another content, and a file hash that fits": { ...sent(flipped), codes: ["store.nar-mismatch"] },
    "the archive of another object": { ...sent(other), codes: ["store.nar-mismatch"] },
    "another file size": { narInfo: { fileSize: 1000 }, codes: ["cache.file-mismatch"] },
    "another file hash": { narInfo: { fileHash: hashBytes("sha256", "x") }, codes: ["cache.file-mismatch"] },
    "an archive that is cut off": {
      ...{ narInfo: untold, archive: archive.subarray(0, 2000) },
      codes: ["nar.malformed", "store.nar-mismatch"],
    },
    "an empty archive": { narInfo: untold, archive: new Uint8Array(0), codes: ["nar.malformed", "store.nar-mismatch"] },
    "an archive with more behind it": {
      ...sent(concatBytes([archive, archive])),
      codes: ["nar.malformed", "store.nar-mismatch"],
    },
    "an archive that climbs out": { ...sent(climbing), codes: ["nar.malformed"] },
    "what is no archive": { ...sent(utf8("<html>It works!</html>")), codes: ["nar.malformed"] },
    "an archive that is not there": { archive: answer(404), codes: ["cache.file-missing"] },
    "an archive that does not come": { archive: silence, codes: ["cache.unreachable"], isSilence: true },
    "an archive whose server fails": { archive: answer(500), codes: ["cache.unreachable"] },
    "a bomb of zstd": { ...sent(bomb(zstdCompressSync), "zstd"), codes: ["store.nar-mismatch", "nar.malformed"] },
    "a bomb of gzip": { ...sent(bomb(gzipSync), "gzip"), codes: ["store.nar-mismatch", "nar.malformed"] },
    "a compression it is not": { ...sent(utf8("plain words"), "zstd"), codes: ["nar.malformed"] },
    "a compressed archive that is broken": { ...sent(broken, "zstd"), codes: ["cache.compression-malformed"] },
    "a compressed archive that is cut off": {
      ...sent(zstdCompressSync(archive).subarray(0, 200), "zstd"),
      codes: ["cache.compression-malformed", "nar.malformed", "store.nar-mismatch"],
    },
    "no signature": { narInfo: { signatures: [] }, codes: ["signature.untrusted"] },
    "a foreign signature": { narInfo: { signatures: [`foreign-1:${FORGED}`] }, codes: ["signature.untrusted"] },
    "a forged signature": { narInfo: { signatures: [`honest-1:${FORGED}`] }, codes: ["signature.untrusted"] },
    "a signature that is none": { narInfo: { signatures: ["honest-1:AAAA"] }, codes: ["signature.malformed"] },
    "another size than was signed": { narInfo: { narSize: honest.narSize + 8 }, codes: ["signature.untrusted"] },
    "another hash than was signed": { narInfo: { narHash: hashBytes("sha256", "x") }, codes: ["signature.untrusted"] },
    "other references than were signed": { narInfo: { references: [path] }, codes: ["signature.untrusted"] },
    "a content address that does not fit": {
      narInfo: { ca: "fixed:r:sha256:1fs8xspqaxw0p5r4wz0lz3pqd9sdvhirmcriqbxcmg8vr89835ya", signatures: [] },
      codes: ["signature.untrusted"],
    },
    "a path of another name": {
      narInfo: { path: `${path}-evil` as StorePath },
      codes: ["cache.wrong-path"],
    },
    "a path of another digest": {
      narInfo: { path: `/nix/store/${"0".repeat(32)}-true` as StorePath },
      codes: ["cache.wrong-path"],
    },
    "a file of this machine": {
      narInfo: { url: "file:///etc/passwd" },
      codes: ["cache.file-missing", "cache.bad-url"],
    },
    "a file outside of the cache": { narInfo: { url: "../../x" }, codes: ["cache.file-missing", "cache.bad-url"] },
    "no narinfo but a page": { narInfo: "<html>It works!</html>", codes: ["narinfo.malformed"] },
    "an empty narinfo": { narInfo: "", codes: ["narinfo.malformed"] },
    "a narinfo of bytes": { narInfo: new Uint8Array(3000), codes: ["narinfo.malformed"] },
    "a narinfo without end": { narInfo: "Sig: a:b\n".repeat(500_000), codes: ["cache.too-large"] },
    "a narinfo that does not come": { narInfo: silence, codes: ["cache.unreachable"], isSilence: true },
    "a narinfo whose server fails": { narInfo: answer(500), codes: ["cache.unreachable"] },
    "that it has nothing": { narInfo: answer(404), codes: ["store.not-valid"], isMiss: true },
  };

  test("the truth is taken by both, so that what follows is about lies", async () => {
    server.hook = undefined;
    const { report, into, warnings } = await build();
    assert.equal([report.exitCode, report.substituted, report.built, warnings], [0, [path], [], []]);
    assert.ok(readFileSync(into.realPath(path)).equals(truth));
    const target = openTemporaryStore();
    using cache = await open();
    await copyPaths({ from: cache, to: target.store, paths: [path], trusted: [publicKeyOf(key)] });
    assert.ok(readFileSync(target.store.realPath(path)).equals(truth));
    target.close();
  });

  async function build(lie: Partial<Lie> = {}) {
    const into = await (bench as Exclude<typeof bench, string>).openOther();
    const warnings: string[] = [];
    const substituters = new Substituters({
      sources: [{ url: server.url, open: async () => ({ url: server.url, priority: 0, store: await open(lie) }) }],
      trustedKeys: [publicKeyOf(key)],
      warn: (message) => warnings.push(message),
    });
    const report = await buildPaths({
      store: into,
      targets: [{ drvPath: value.drvPath as StorePath }],
      options: {
        ...{ substituters, maxJobs: 1, cores: 1 },
        events: (event) => void (event.kind === "warning" && warnings.push(event.message)),
      },
    });
    await substituters.close();
    return { report, into, warnings };
  }

  for (const [name, lie] of Object.entries(LIES)) {
    test(`${name}: a build does without`, async () => {
      tell(lie);
      const { report, into, warnings } = await build(lie);
      assert.equal([report.exitCode, report.substituted, report.built], [0, [], [value.drvPath]], String(warnings));
      assert.ok(readFileSync(into.realPath(path)).equals(truth));
      assert.equal([into.queryPathInfo(path)?.ultimate, leftovers(into)], [true, []]);
      assert.is(warnings.length === 0, lie.isMiss === true, String(warnings));
    });

    test(`${name}: a copy fails, and nothing comes in`, async () => {
      tell(lie);
      const target = openTemporaryStore();
      const copy = async (): Promise<void> => {
        using cache = await open(lie);
        await copyPaths({ from: cache, to: target.store, paths: [path], trusted: [publicKeyOf(key)] });
      };
      const error = await copy().catch((thrown: CodedError) => thrown);
      assert.ok(lie.codes.includes(String(error?.code)), `expected ${lie.codes}, found ${error?.stack}`);
      assert.equal([target.store.allPaths(), leftovers(target.store)], [[], []]);
      target.close();
    });
  }

  test.after(async () => {
    await server.close();
    bench.close();
  });
}

test.run();

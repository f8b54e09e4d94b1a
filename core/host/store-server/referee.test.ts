import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { concatBytes, hashBytes, toBase64, utf8 } from "../../base/index.ts";
import {
  dumpFileNar,
  formatContentAddress,
  importPaths,
  makeMemorySpool,
  makeSourcePath,
  type PathInfo,
  type StorePath,
} from "../../store/index.ts";
import {
  readBuildResult,
  readLogMessage,
  readPathInfo,
  readServePathInfo,
  readTextMap,
  SERVE_CLIENT_MAGIC,
  SERVE_OPERATION,
  serveBuildResultParts,
  WireReader,
  WireWriter,
  WORKER_CLIENT_MAGIC,
  WORKER_OPERATION,
  workerBuildResultParts,
  writeBasicDerivation,
  writePathInfo,
} from "../../store/wire/index.ts";
import { readBytes, writeBytes } from "../process/index.ts";
import { runServeConnection, runWorkerConnection } from "./index.ts";
import { connect, openServedStore } from "./testing.ts";

/**
 * Real Nix and our server are asked the same questions about equal stores. Left out is what ends Nix 2.8 itself: archives of
 * invalid paths, signatures for invalid paths, realisations of derivations that are not there.
 */
const referee = spawnSync("nix-daemon", ["--version"]).status === 0 ? test : test.skip;
if (referee === test.skip) console.log("skipped: nix-daemon is not on the PATH, so real Nix cannot be asked");

const VECTORS = join(import.meta.dirname, "../../../tools/conformance/vectors/worker-protocol.json");
const MINOR = 34;
const SERVE_MINOR = 7;

interface Side {
  readonly reader: WireReader;
  readonly writer: WireWriter;
}

type Question = readonly [
  name: string,
  ask: (writer: WireWriter) => unknown,
  answer: (reader: WireReader) => Promise<unknown>,
];

const vectors = JSON.parse(readFileSync(VECTORS, "utf8")) as {
  readonly import: string;
  readonly stateBefore: readonly { readonly path: StorePath }[];
};
const path = (name: string): StorePath =>
  vectors.stateBefore.find((row) => row.path.slice(44) === name)?.path as StorePath;
const MISSING = `/nix/store/${"9".repeat(32)}-missing` as StorePath;
const MISSING_DRV = `${MISSING}.drv` as StorePath;

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function openEqualStore() {
  const opened = openServedStore();
  const stream = new WireReader(once(Buffer.from(vectors.import, "base64")));
  await importPaths(opened.store, stream, makeMemorySpool());
  const database = new DatabaseSync(join(opened.store.stateDirectory, "db/db.sqlite"));
  database.exec("update ValidPaths set registrationTime = 1600000000");
  database.close();
  return opened;
}

function object(name: string, contents: string, references: readonly StorePath[] = []) {
  const nar = dumpFileNar(utf8(contents));
  const narHash = hashBytes("sha256", nar);
  const info: PathInfo = {
    path: makeSourcePath(name, narHash, references),
    narHash,
    narSize: nar.length,
    references,
    registrationTime: 1_600_000_005,
    signatures: [],
    ca: formatContentAddress({ method: "recursive", hash: narHash }),
  };
  return { info, nar };
}

const a = object("aa", "one");
const b = object("bb", `two ${a.info.path}`, [a.info.path]);
const c = object("cc", "three");
const d = object("dd", "four");

const paths = async (reader: WireReader): Promise<string[]> => reader.paths();
const nothing = async (): Promise<undefined> => undefined;
const one = (reader: WireReader): Promise<number> => reader.number();
const info = async (reader: WireReader): Promise<unknown> =>
  (await reader.bool()) ? readPathInfo(reader, MISSING, MINOR) : undefined;
/** With the moment of registration left out. */
const added = async (reader: WireReader): Promise<unknown> => {
  const found = await reader.path();
  return { ...(await readPathInfo(reader, found, MINOR)), registrationTime: 0 };
};
const archive = async (reader: WireReader): Promise<string> => {
  const parts: Uint8Array[] = [];
  for await (const piece of reader.nar()) parts.push(piece);
  return toBase64(concatBytes(parts));
};
const results = (reader: WireReader): Promise<unknown> =>
  reader.list(async () => {
    const wanted = await reader.text();
    const result = await readBuildResult(reader, workerBuildResultParts(MINOR));
    return [wanted, { ...result, message: result.message === "" }];
  });
const missing = async (reader: WireReader): Promise<unknown> => [
  ...[await reader.paths(), await reader.paths(), await reader.paths()],
  ...[await reader.number(), await reader.number()],
];
const collected = async (reader: WireReader): Promise<unknown> => [
  await reader.texts(),
  await reader.number(),
  await reader.number(),
];

const adding =
  ({ info: facts, nar }: typeof a, changes: Partial<PathInfo> = {}) =>
  async (writer: WireWriter): Promise<void> => {
    const changed = { ...facts, ...changes };
    writer.number(WORKER_OPERATION.addToStoreNar).text(changed.path);
    writePathInfo(writer, changed, MINOR);
    writer.bool(false).bool(true);
    await writer.frames((inner) => inner.raw(once(nar)));
  };

const addingMany =
  (objects: readonly (typeof a)[]) =>
  async (writer: WireWriter): Promise<void> => {
    writer.number(WORKER_OPERATION.addMultipleToStore).bool(false).bool(true);
    await writer.frames(async (inner) => {
      inner.number(objects.length);
      for (const each of objects) {
        inner.text(each.info.path);
        writePathInfo(inner, each.info, 16);
        await inner.raw(once(each.nar));
      }
    });
  };

const addingContents =
  (method: string, bytes: Uint8Array, references: readonly string[] = []) =>
  async (writer: WireWriter): Promise<void> => {
    writer.number(WORKER_OPERATION.addToStore).text("contents").text(method).set(references).bool(false);
    await writer.frames((inner) => inner.raw(once(bytes)));
  };

function questionsToWorker(read: (path: StorePath) => Parameters<typeof writeBasicDerivation>[1]): Question[] {
  const op = WORKER_OPERATION;
  const [multi, gamma, beta] = [path("multi.drv"), path("gamma.drv"), path("beta.drv")];
  const basic = { ...read(beta), inputSources: [...read(beta).inputSources, path("libalpha-1.0")] };
  return [
    ["outputs", (w) => w.number(op.queryDerivationOutputs).text(multi), paths],
    ["outputs of nothing", (w) => w.number(op.queryDerivationOutputs).text(MISSING_DRV), paths],
    ["names of outputs", (w) => w.number(op.queryDerivationOutputNames).text(multi), (r) => r.texts()],
    ["outputs by name", (w) => w.number(op.queryDerivationOutputMap).text(multi), readTextMap],
    ["referrers of nothing", (w) => w.number(op.queryReferrers).text(MISSING), paths],
    ["derivers of nothing", (w) => w.number(op.queryValidDerivers).text(MISSING), paths],
    [
      "valid ones",
      (w) =>
        w
          .number(op.queryValidPaths)
          .set([path("beta"), MISSING])
          .bool(true),
      paths,
    ],
    ["sync", (w) => w.number(op.syncWithGc), one],
    ["a digest too short", (w) => w.number(op.queryPathFromHashPart).text("abc"), (r) => r.text()],
    ["archive", (w) => w.number(op.narFromPath).text(path("gamma")), archive],
    ["all is there", (w) => w.number(op.queryMissing).texts([`${multi}!*`, `${gamma}!out`, beta]), missing],
    ["not known", (w) => w.number(op.queryMissing).texts([`${MISSING_DRV}!out`, MISSING]), missing],
    [
      "build all",
      (w) =>
        w
          .number(op.buildPaths)
          .texts([`${multi}!*`, beta])
          .number(0),
      one,
    ],
    ["build nothing", (w) => w.number(op.buildPaths).texts([MISSING]).number(0), one],
    [
      "build what is lost",
      (w) =>
        w
          .number(op.buildPaths)
          .texts([`${MISSING_DRV}!out`])
          .number(0),
      one,
    ],
    [
      "results",
      (w) =>
        w
          .number(op.buildPathsWithResults)
          .texts([`${multi}!*`, beta, `${gamma}!out`])
          .number(0),
      results,
    ],
    [
      "results of failures",
      (w) =>
        w
          .number(op.buildPathsWithResults)
          .texts([MISSING, `${beta}!out`])
          .number(0),
      results,
    ],
    [
      "no such output",
      (w) =>
        w
          .number(op.buildPathsWithResults)
          .texts([`${beta}!nope`])
          .number(0),
      results,
    ],
    [
      "build a derivation that is sent",
      (w) => {
        writeBasicDerivation(w.number(op.buildDerivation).text(beta), basic);
        w.number(0);
      },
      (r) => readBuildResult(r, workerBuildResultParts(MINOR)),
    ],
    ["add", adding(a), nothing],
    ["add again", adding(a), nothing],
    ["what was added", (w) => w.number(op.queryPathInfo).text(a.info.path), info],
    ["add with the address of another", adding(b, { path: d.info.path }), nothing],
    ["add what refers to nothing", adding(object("mm", "x", [MISSING])), nothing],
    ["add with a wrong size", adding(c, { narSize: 8 }), nothing],
    ["add other contents", adding(c, { path: d.info.path, ca: d.info.ca }), nothing],
    ["nothing came of it", (w) => w.number(op.isValidPath).text(d.info.path), one],
    ["add many", addingMany([b, c]), nothing],
    ["what came of that", (w) => w.number(op.queryPathInfo).text(b.info.path), info],
    [
      "sign",
      (w) =>
        w
          .number(op.addSignatures)
          .text(a.info.path)
          .texts([`z:${SIGNATURE}`, `a:${SIGNATURE}`]),
      one,
    ],
    ["what is signed", (w) => w.number(op.queryPathInfo).text(a.info.path), info],
    ["add a tree with references", addingContents("fixed:r:sha256", dumpFileNar(utf8("x")), [a.info.path]), added],
    ["add a file by sha512", addingContents("fixed:sha512", utf8("x")), added],
    ["add no archive", addingContents("fixed:r:sha256", utf8("x")), added],
    ["add a text that refers to nothing", addingContents("text:sha256", utf8("x"), [MISSING]), added],
    ["the connection goes on", (w) => w.number(op.isValidPath).text(path("beta")), one],
    [
      "what is dead",
      (w) => w.number(op.collectGarbage).number(1).texts([]).bool(false).number(0).number(0).number(0).number(0),
      collected,
    ],
    [
      "the log of a build",
      async (w) => {
        w.number(op.addBuildLog).text(beta.slice(11));
        await w.frames((inner) => inner.raw(once(utf8("some log\n"))));
      },
      one,
    ],
    ["no substitute", (w) => w.number(op.querySubstitutablePathInfo).text(path("beta")), one],
    ["no substitutes", (w) => w.number(op.querySubstitutablePaths).set([path("beta"), MISSING]), paths],
    ["all", (w) => w.number(op.queryAllValidPaths), paths],
  ];
}

const SIGNATURE = toBase64(new Uint8Array(64).fill(1));

function questionsToServe(read: (path: StorePath) => Parameters<typeof writeBasicDerivation>[1]): Question[] {
  const op = SERVE_OPERATION;
  const settings = (w: WireWriter): WireWriter => w.number(0).number(0).number(0).number(0).number(0).number(0);
  const beta = path("beta.drv");
  const basic = { ...read(beta), inputSources: [...read(beta).inputSources, path("libalpha-1.0")] };
  const infos = async (r: WireReader): Promise<unknown> => {
    const found: PathInfo[] = [];
    for (let next = await r.optionalPath(); next !== undefined; next = await r.optionalPath())
      found.push(await readServePathInfo(r, next));
    return found;
  };
  const built = async (r: WireReader): Promise<unknown> => {
    const status = await r.number();
    return status === 0 ? 0 : [status, (await r.text()) !== ""];
  };
  return [
    [
      "infos, some twice",
      (w) => w.number(op.queryPathInfos).texts([path("beta"), path("beta"), MISSING, path("multi")]),
      infos,
    ],
    [
      "closure",
      (w) =>
        w
          .number(op.queryClosure)
          .bool(false)
          .set([path("gamma"), path("multi")]),
      paths,
    ],
    [
      "closure with outputs",
      (w) =>
        w
          .number(op.queryClosure)
          .bool(true)
          .set([path("multi.drv")]),
      paths,
    ],
    ["build", (w) => settings(w.number(op.buildPaths).texts([path("multi.drv"), `${path("gamma.drv")}!out`])), built],
    ["build what is lost", (w) => settings(w.number(op.buildPaths).texts([MISSING_DRV])), built],
    [
      "build a derivation that is sent",
      (w) => {
        writeBasicDerivation(w.number(op.buildDerivation).text(beta), basic);
        settings(w);
      },
      (r) => readBuildResult(r, serveBuildResultParts(SERVE_MINOR)),
    ],
    [
      "add",
      async (w) => {
        writePathInfo(w.number(op.addToStoreNar).text(a.info.path), a.info, 16);
        await w.raw(once(a.nar));
      },
      one,
    ],
    ["what was added", (w) => w.number(op.queryPathInfos).texts([a.info.path]), infos],
    [
      "valid ones",
      (w) =>
        w
          .number(op.queryValidPaths)
          .bool(true)
          .bool(true)
          .set([MISSING, path("beta")]),
      paths,
    ],
    ["archive", (w) => w.number(op.dumpStorePath).text(path("gamma")), archive],
  ];
}

function startNix(root: string, program: string, ...args: string[]): Side & { stop(): void } {
  const child = spawn(program, args, {
    stdio: ["pipe", "pipe", "ignore"],
    env: { ...process.env, NIX_REMOTE: root, NIX_CONFIG: "substitute = false\nbuild-users-group =" },
  });
  return {
    reader: new WireReader(readBytes(child.stdout)),
    writer: new WireWriter(writeBytes(child.stdin)),
    stop: () => void child.kill(),
  };
}

async function answers(side: Side, questions: readonly Question[], hasLog: boolean): Promise<[string, unknown][]> {
  const all: [string, unknown][] = [];
  for (const [name, ask, answer] of questions) {
    await ask(side.writer);
    await side.writer.flush();
    let outcome = "last";
    while (hasLog) {
      const message = await readLogMessage(side.reader, MINOR);
      outcome = message.kind;
      if (outcome === "last" || outcome === "error") break;
    }
    all.push([name, outcome === "last" ? await answer(side.reader) : "an error"]);
  }
  return all;
}

referee("the worker protocol's server answers what nix-daemon answers", async () => {
  const [ours, theirs] = [await openEqualStore(), await openEqualStore()];
  theirs.store.close();
  const nix = startNix(theirs.store.root, "nix-daemon", "--stdio");
  const services = ours.services;
  const client = connect((input, output) =>
    runWorkerConnection({ services, input, output, trusted: true, version: 0x122 }),
  );
  try {
    for (const { reader, writer } of [nix, client]) {
      await writer.number(WORKER_CLIENT_MAGIC).number(0x122).number(0).number(0).flush();
      await reader.number();
      assert.is(await reader.number(), 0x122);
      await reader.text();
      assert.equal(await readLogMessage(reader, MINOR), { kind: "last" });
    }
    const questions = questionsToWorker((drvPath) => ours.store.readDerivation(drvPath));
    const expected = await answers(nix, questions, true);
    for (const [i, found] of (await answers(client, questions, true)).entries()) assert.equal(found, expected[i]);
    assert.ok(expected.filter(([, value]) => value === "an error").length > 8);
  } finally {
    nix.stop();
    ours.close();
    theirs.close();
  }
});

referee("the serve protocol's server answers what nix-store --serve answers", async () => {
  const [ours, theirs] = [await openEqualStore(), await openEqualStore()];
  theirs.store.close();
  const nix = startNix(theirs.store.root, "nix-store", "--serve", "--write");
  const services = ours.services;
  const client = connect((input, output) => runServeConnection({ services, input, output, write: true }));
  try {
    for (const { reader, writer } of [nix, client]) {
      await writer.number(SERVE_CLIENT_MAGIC).number(0x207).flush();
      await reader.number();
      assert.is(await reader.number(), 0x207);
    }
    const questions = questionsToServe((drvPath) => ours.store.readDerivation(drvPath));
    const expected = await answers(nix, questions, false);
    for (const [i, found] of (await answers(client, questions, false)).entries()) assert.equal(found, expected[i]);
  } finally {
    nix.stop();
    ours.close();
    theirs.close();
  }
});

test.run();

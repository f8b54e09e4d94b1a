import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { dirname } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import { LARGE_FILE_MEDIA } from "../../fetch/index.ts";
import { makeScratch } from "../files/index.ts";
import { fetchCommit, type FetchCommitOptions } from "./fetch-commit.ts";
import { serveRepositories, temporaryFolder, TestRepository, type TestServer } from "./testing.ts";

const test = suite("large files");
const root = temporaryFolder();
/** Contents that the server has, by their digest. */
const contents = new Map<string, string>();
const asked: string[] = [];
let server: TestServer;
/** The status of every answer to a batch; 0 for one that does not end. */
let status = 200;
/** Whether contents do not end. */
let endless = false;

function flood(response: ServerResponse): true {
  while (!response.destroyed && response.write("x".repeat(60_000)));
  if (!response.destroyed) response.once("drain", () => flood(response));
  return true;
}

/** A server of large files as the API of Git LFS says; a ticket opens the contents. */
function serveLargeFiles(request: IncomingMessage, response: ServerResponse): boolean {
  const [, repository, oid] =
    /^\/([^/]+)\.git\/info\/lfs\/objects\/(batch|[0-9a-f]{64})$/.exec(request.url ?? "") ?? [];
  if (repository === undefined || oid === undefined) return false;
  asked.push(`${request.method} ${request.url}`);
  if (oid !== "batch") {
    if (endless) return flood(response);
    const found = contents.get(oid);
    const isLetIn = request.headers.authorization === `Ticket ${oid}`;
    response.writeHead(isLetIn ? (found === undefined ? 404 : 200) : 403).end(isLetIn ? found : "");
    return true;
  }
  const said: Buffer[] = [];
  request.on("data", (chunk: Buffer) => said.push(chunk));
  request.on("end", () => {
    if (status === 0) return void flood(response);
    if (request.headers["content-type"] !== LARGE_FILE_MEDIA || request.method !== "POST" || status !== 200)
      return void response.writeHead(status === 200 ? 422 : status).end();
    const { objects } = JSON.parse(Buffer.concat(said).toString()) as { objects: { oid: string; size: number }[] };
    const answers = objects.map((object) =>
      contents.has(object.oid)
        ? {
            ...object,
            actions: {
              download: {
                href: `${server.url}${repository}.git/info/lfs/objects/${object.oid}`,
                header: { Authorization: `Ticket ${object.oid}` },
              },
            },
          }
        : { ...object, error: { code: 404, message: "Object does not exist" } },
    );
    response.setHeader("content-type", LARGE_FILE_MEDIA);
    response.end(JSON.stringify({ transfer: "basic", objects: answers }));
  });
  return true;
}

test.before(async () => {
  server = await serveRepositories(`${root}/served`, { beside: serveLargeFiles });
});
test.before.each(() => {
  contents.clear();
  asked.length = 0;
  status = 200;
  endless = false;
});
test.after(() => server.close());

function pointer(text: string, oid = createHash("sha256").update(text).digest("hex")): string {
  return `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${text.length}\n`;
}

function keep(...texts: string[]): void {
  for (const text of texts) contents.set(createHash("sha256").update(text).digest("hex"), text);
}

let count = 0;
function repository(): TestRepository {
  count += 1;
  return new TestRepository(`${root}/served/r${count}`);
}

async function fetchInto(
  made: TestRepository,
  options: FetchCommitOptions,
  url = `${server.url}r${count}`,
): Promise<string> {
  const destination = `${temporaryFolder()}/source`;
  await fetchCommit({ url, rev: made.commit(), destination }, options);
  return destination;
}

const errorOf = (run: Promise<unknown>): Promise<CodedError> =>
  run.then(
    () => assert.unreachable("expected an error") as never,
    (error: CodedError) => error,
  );

const TRACKED = "*.bin filter=lfs diff=lfs merge=lfs -text\n";

test("fetchCommit() puts large files in the place of their pointers, and what is no large file stays", async () => {
  keep("large one", "large two");
  const made = repository().write({
    ".gitattributes": TRACKED,
    "a.bin": pointer("large one"),
    "dir/run.bin": { executable: pointer("large two") },
    "dir/again.bin": pointer("large one"),
    "pointer.txt": pointer("large one"),
    "plain.bin": "not a pointer",
    "link.bin": { link: "a.bin" },
  });
  const folder = await fetchInto(made, { lfs: true });
  const read = (name: string): string => readFileSync(`${folder}/${name}`, "utf8");
  assert.equal(["a.bin", "dir/run.bin", "dir/again.bin"].map(read), ["large one", "large two", "large one"]);
  assert.is(lstatSync(`${folder}/dir/run.bin`).mode & 0o777, 0o755);
  assert.equal([read("pointer.txt"), read("plain.bin")], [pointer("large one"), "not a pointer"]);
  assert.ok(lstatSync(`${folder}/link.bin`).isSymbolicLink());
  assert.is(asked.filter((each) => each.includes("batch")).length, 1);
  assert.is(asked.length, 3);
});

test("fetchCommit() leaves pointers as they are stored where nobody asks for large files", async () => {
  const folder = await fetchInto(repository().write({ ".gitattributes": TRACKED, "a.bin": pointer("large") }), {});
  assert.is(readFileSync(`${folder}/a.bin`, "utf8"), pointer("large"));
  assert.equal(asked, []);
});

test("fetchCommit() asks the server that .lfsconfig names, and no folder of this machine", async () => {
  keep("large");
  const files = { ".gitattributes": TRACKED, "a.bin": pointer("large") };
  const made = repository().write({ ...files, ".lfsconfig": `[lfs]\n\turl = ${server.url}elsewhere.git/info/lfs\n` });
  const folder = await fetchInto(made, { lfs: true });
  assert.is(readFileSync(`${folder}/a.bin`, "utf8"), "large");
  assert.match(asked[0] ?? "", "/elsewhere.git/");
  const hostile = repository().write({ ...files, ".lfsconfig": "[lfs]\n\turl = file:///etc\n" });
  assert.is((await errorOf(fetchInto(hostile, { lfs: true }))).code, "git.lfs-address");
});

test("fetchCommit() takes large files of a repository of this machine from its own folder; git.lfs-address", async () => {
  const made = repository().write({ ".gitattributes": TRACKED, "a.bin": pointer("large") });
  const url = `file://${made.folder}`;
  assert.is((await errorOf(fetchInto(made, { lfs: true }, url))).code, "git.lfs-address");
  const oid = createHash("sha256").update("large").digest("hex");
  const place = `${made.folder}/.git/lfs/objects/${oid.slice(0, 2)}/${oid.slice(2, 4)}`;
  mkdirSync(place, { recursive: true });
  writeFileSync(`${place}/${oid}`, "large");
  assert.is(readFileSync(`${await fetchInto(made, { lfs: true }, url)}/a.bin`, "utf8"), "large");
});

test("fetchCommit() fetches the large files of submodules", async () => {
  keep("large");
  const inner = repository().write({ ".gitattributes": TRACKED, "a.bin": pointer("large") });
  const rev = inner.commit();
  const outer = repository().write({ ".gitmodules": `[submodule "in"]\n\tpath = in\n\turl = ../r${count - 1}\n` });
  outer.commit();
  outer.git("update-index", "--add", "--cacheinfo", `160000,${rev},in`);
  outer.git("commit", "--quiet", "--message", "in");
  const destination = `${temporaryFolder()}/source`;
  const url = `${server.url}r${count}`;
  await fetchCommit({ url, rev: outer.git("rev-parse", "HEAD"), destination }, { lfs: true, submodules: true });
  assert.is(readFileSync(`${destination}/in/a.bin`, "utf8"), "large");
});

test("fetchCommit() says what is wrong with large files: git.lfs-missing, -mismatch, -refused, -answer", async () => {
  const made = (text: string): TestRepository => repository().write({ ".gitattributes": TRACKED, "a.bin": text });
  const missing = await errorOf(fetchInto(made(pointer("gone")), { lfs: true }));
  assert.equal([missing.code, /Object does not exist \(404\)/.test(missing.message)], ["git.lfs-missing", true]);
  const oid = "0".repeat(64);
  contents.set(oid, "other");
  const wrong = await errorOf(fetchInto(made(pointer("right", oid)), { lfs: true }));
  assert.is(wrong.code, "git.lfs-mismatch");
  assert.match(wrong.details?.join() ?? "", `expected: ${oid}, 5 bytes`);
  status = 404;
  const refused = await errorOf(fetchInto(made(pointer("large")), { lfs: true }));
  assert.equal([refused.code, /answered 404/.test(refused.message)], ["git.lfs-refused", true]);
  status = 204;
  assert.is((await errorOf(fetchInto(made(pointer("large")), { lfs: true }))).code, "git.lfs-answer");
  const kept = readdirSync(dirname(makeScratch("beside")));
  assert.equal(
    kept.filter((name) => name.startsWith("large-")),
    [],
  );
});

test("fetchCommit() takes no large file beyond what its pointer says, and no answer without end", async () => {
  keep("large");
  const made = (): TestRepository => repository().write({ ".gitattributes": TRACKED, "a.bin": pointer("large") });
  endless = true;
  const long = await errorOf(fetchInto(made(), { lfs: true }));
  assert.is(long.code, "git.lfs-mismatch");
  assert.match(long.details?.join() ?? "", "found:    more than 5 bytes");
  status = 0;
  const answer = await errorOf(fetchInto(made(), { lfs: true }));
  assert.is(answer.code, "git.lfs-refused");
  assert.match(answer.message, "its answer has more than 16777216 bytes");
});

test.run();

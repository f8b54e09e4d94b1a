import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import type { LockedFile, LockedTarball, LockFile, LockNode } from "../../flake/index.ts";
import { writeFiles } from "../evaluator/testing.ts";
import { temporaryFolder } from "../git/testing.ts";
import { type LocalStore, openLocalStore } from "../local-store/index.ts";
import { findProgram } from "../process/index.ts";
import { openFlake, type OpenFlakeOptions } from "./open-flake.ts";
import { readCheckedLock } from "./testing.ts";

const test = suite("archives as inputs");
const root = temporaryFolder();
const REV = "0123456789abcdef0123456789abcdef01234567";
let store: LocalStore;
let base: string;
let requests: string[] = [];
/** What the server answers beside the archives below `root`. */
let answer: (request: IncomingMessage, response: ServerResponse) => boolean = () => false;
const server = createServer((request, response) => {
  requests.push(request.url ?? "");
  if (answer(request, response)) return;
  try {
    response.end(readFileSync(`${root}/served${new URL(request.url ?? "", "http://x").pathname}`));
  } catch {
    response.writeHead(404).end("nothing here");
  }
});

test.before(async () => {
  mkdirSync(`${root}/served`);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
test.before.each(() => {
  store?.close();
  store = openLocalStore({ root: temporaryFolder() });
  requests = [];
  answer = () => false;
});
test.after(() => {
  store.close();
  server.closeAllConnections();
  server.close();
});

/** Pack a folder `name-1.0` with these files, dated. */
function pack(
  name: string,
  files: Readonly<Record<string, string>>,
  to = `${name}.tar.gz`,
  seconds = 1_700_000_000,
): void {
  const folder = `${root}/pack`;
  rmSync(folder, { recursive: true, force: true });
  writeFiles(`${folder}/${name}-1.0`, files);
  execFileSync("tar", ["-C", folder, `--mtime=@${seconds}`, "-czf", `${root}/served/${to}`, `${name}-1.0`]);
}

function flake(inputs: string, outputs = "{ x: `${inputs.a}` }"): string {
  const folder = temporaryFolder();
  writeFiles(folder, {
    "flake.config.ts": `import { defineFlake } from "#floe/flake";\nexport default defineFlake({\n  inputs: ${inputs},\n  outputs: ({ inputs }) => (${outputs}),\n});\n`,
  });
  return folder;
}

const open = (folder: string, options: Partial<OpenFlakeOptions> = {}) =>
  openFlake({ reference: folder, cwd: "/", store, records: false, memory: false, ...options });
const lockedOf = (folder: string): LockedTarball =>
  ((readCheckedLock(`${folder}/lock.json`) as LockFile).nodes["a"] as LockNode).locked as LockedTarball;
const errorOf = (run: Promise<unknown>): Promise<CodedError> =>
  run.then(
    () => assert.unreachable("expected an error") as never,
    (error: CodedError) => error,
  );

test("an archive is locked to its content, and then needs no server", async () => {
  pack("hello", { greeting: "hi", "dir/deep": "x" });
  const folder = flake(`{ a: { url: "${base}/hello.tar.gz", flake: false } }`);
  await (await open(folder)).relock();
  const { type, url, narHash, lastModified } = lockedOf(folder);
  assert.equal([type, url, lastModified], ["tarball", `${base}/hello.tar.gz`, 1_700_000_000]);
  requests = [];
  const { value } = await (await open(folder, { locked: true })).evaluate({ attribute: "x" });
  assert.is(readFileSync(`${store.realPath(value as string)}/greeting`, "utf8"), "hi");
  assert.equal(requests, []);
  store.close();
  store = openLocalStore({ root: temporaryFolder() });
  await (await open(folder, { locked: true })).evaluate({ attribute: "x" });
  assert.equal(requests, ["/hello.tar.gz"], "fetched once into a new store");
  assert.match(narHash, /^sha256-/);
});

test("an archive that is a flake gives its outputs, also from a folder of it", async () => {
  const config = (text: string): string =>
    `import { defineFlake } from "#floe/flake";\nexport default defineFlake({ outputs: ({ inputs }) => ({ name: "${text}" }) });\n`;
  pack("lib", { "flake.config.ts": config("top"), "sub/flake.config.ts": config("sub") });
  for (const [query, name] of [
    ["", "top"],
    ["?dir=sub", "sub"],
  ] as const) {
    const folder = flake(`{ a: "tarball+${base}/lib.tar.gz${query}" }`, "{ x: inputs.a.name }");
    assert.is((await (await open(folder)).evaluate({ attribute: "x" })).value, name);
    const direct = await open(`tarball+${base}/lib.tar.gz${query}`);
    assert.is((await direct.evaluate({ attribute: "name" })).value, name);
  }
});

test("redirects are followed, and the lock keeps the address that was declared", async () => {
  pack("moved", { a: "1" });
  answer = (request, response) => {
    const hop = /^\/hop(\d)$/.exec(request.url ?? "")?.[1];
    if (hop === undefined) return false;
    response.writeHead(302, { location: hop === "3" ? `${base}/moved.tar.gz` : `/hop${Number(hop) + 1}` }).end();
    return true;
  };
  const folder = flake(`{ a: "tarball+${base}/hop1" }`);
  await (await open(folder)).relock();
  assert.is(lockedOf(folder).url, `${base}/hop1`);
  assert.equal(requests, ["/hop1", "/hop2", "/hop3", "/moved.tar.gz"]);
  answer = (_request, response) => void response.writeHead(302, { location: "/again" }).end() === undefined;
  const error = await errorOf((await open(flake(`{ a: "tarball+${base}/again" }`))).relock());
  assert.is(error.code, "fetch.unreachable");
  assert.match(error.details?.join() ?? "", "leads on and on");
});

test("a server that says where an archive lies for good is locked to that, with what it says of it", async () => {
  pack("rolling", { v: "1" }, "rolling-1.tar.gz");
  let version = 1;
  answer = (request, response) => {
    if (request.url !== "/latest.tar.gz") return false;
    const link = `</rolling-${version}.tar.gz?rev=${REV}&revCount=8&lastModified=1234>; rel="immutable"`;
    response.writeHead(302, { link, location: `/rolling-${version}.tar.gz` }).end();
    return true;
  };
  const folder = flake(`{ a: "${base}/latest.tar.gz" }`, "{ x: inputs.a.sourceInfo }");
  await (await open(folder)).relock();
  const { narHash } = lockedOf(folder);
  assert.equal(lockedOf(folder), {
    type: "tarball",
    url: `${base}/rolling-1.tar.gz`,
    rev: REV,
    lastModified: 1234,
    narHash,
  });
  const info = (await (await open(folder)).evaluate({ attribute: "x" })).value as Record<string, unknown>;
  assert.equal([info["type"], info["rev"], info["shortRev"]], ["tarball", REV, REV.slice(0, 7)]);
  // The address that was declared goes on; the lock stays, also for a store that has nothing.
  version = 2;
  pack("rolling", { v: "2" }, "rolling-2.tar.gz");
  store.close();
  store = openLocalStore({ root: temporaryFolder() });
  requests = [];
  await (await open(folder, { locked: true })).evaluate({ attribute: "x" });
  assert.equal(requests, ["/rolling-1.tar.gz"]);
  const { changes } = await (await open(folder)).relock({ update: "all" });
  assert.is(changes.length, 1);
  assert.is(lockedOf(folder).url, `${base}/rolling-2.tar.gz`);
});

test("a server that promises other content, or a lasting place that is none, is refused", async () => {
  pack("liar", { a: "1" });
  let link = "";
  answer = (_request, response) => {
    response.setHeader("link", link);
    return false;
  };
  const relock = async (): Promise<CodedError> => errorOf((await open(flake(`{ a: "${base}/liar.tar.gz" }`))).relock());
  const other = encodeURIComponent("sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  link = `<${base}/liar.tar.gz?narHash=${other}>; rel=immutable`;
  const error = await relock();
  assert.is(error.code, "flake.nar-hash-mismatch");
  assert.match(error.details?.[0] ?? "", "promised: sha256-47DEQpj8HBSa");
  for (const bad of ["file:///etc/passwd", "path:/etc", `${base}/x?rev=no`]) {
    link = `<${bad}>; rel="immutable"`;
    assert.is((await relock()).code, "flake.immutable-link", bad);
  }
});

test("an archive that changed behind its lock is an error with both hashes", async () => {
  pack("changed", { a: "1" });
  const folder = flake(`{ a: "${base}/changed.tar.gz" }`);
  await (await open(folder)).relock();
  pack("changed", { a: "2" });
  store.close();
  store = openLocalStore({ root: temporaryFolder() });
  const error = await errorOf((await open(folder, { locked: true })).evaluate({ attribute: "x" }));
  assert.is(error.code, "flake.nar-hash-mismatch");
  assert.is(error.details?.length, 2);
  assert.match(error.hint ?? "", "floe flake update a");
});

test("a reference that says its hash is held to it", async () => {
  pack("known", { a: "1" });
  const folder = flake(`{ a: "${base}/known.tar.gz" }`);
  await (await open(folder)).relock();
  const right = encodeURIComponent(lockedOf(folder).narHash);
  const wrong = encodeURIComponent("sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  await (await open(flake(`{ a: "${base}/known.tar.gz?narHash=${right}" }`))).relock();
  const error = await errorOf((await open(flake(`{ a: "${base}/known.tar.gz?narHash=${wrong}" }`))).relock());
  assert.is(error.code, "flake.nar-hash-mismatch");
});

test("an archive of this machine is read without a server", async () => {
  pack("local", { a: "here" });
  const folder = flake(`{ a: "file://${root}/served/local.tar.gz" }`);
  const { value } = await (await open(folder)).evaluate({ attribute: "x" });
  assert.is(readFileSync(`${store.realPath(value as string)}/a`, "utf8"), "here");
  assert.equal(requests, []);
});

test("what is missing, and what is no archive, is an error that names the address without its secrets", async () => {
  const secret = base.replace("//", "//user:secret@");
  const missing = await errorOf((await open(flake(`{ a: "${secret}/nothing.tar.gz?token=abc" }`))).relock());
  assert.is(missing.code, "fetch.unreachable");
  assert.match(missing.details?.join() ?? "", "404");
  writeFileSync(`${root}/served/page.tar.gz`, "<html>".repeat(1000));
  const page = await errorOf((await open(flake(`{ a: "${secret}/page.tar.gz" }`))).relock());
  assert.is(page.code, "fetch.bad-archive");
  for (const error of [missing, page]) assert.not.match(`${error.message} ${error.details} ${error.hint}`, "secret");
  assert.not.match(`${missing.message} ${missing.details}`, "abc");
});

test("a single file is an input, locked to its content and to when it changed", async () => {
  answer = (_, response) => {
    response.setHeader("last-modified", new Date(1_700_000_000_000).toUTCString());
    return false;
  };
  writeFileSync(`${root}/served/page.html`, "<p>one");
  const folder = flake(`{ a: "file+${base}/page.html?v=1" }`, "{ x: `${inputs.a}`, info: inputs.a.sourceInfo }");
  await (await open(folder)).relock();
  const { type, url, lastModified, narHash } = lockedOf(folder) as unknown as LockedFile;
  assert.equal([type, url, lastModified], ["file", `${base}/page.html?v=1`, 1_700_000_000]);
  requests = [];
  const opened = await open(folder, { locked: true });
  const { value } = await opened.evaluate({ attribute: "x" });
  assert.is(readFileSync(store.realPath(value as string), "utf8"), "<p>one");
  const info = (await opened.evaluate({ attribute: "info" })).value as { type: string; narHash: string };
  assert.equal([info.type, info.narHash, requests], ["file", narHash, []]);
});

test("a single file that changed is told, and one of this machine needs no server", async () => {
  writeFileSync(`${root}/served/data.txt`, "1");
  const folder = flake(`{ a: "file+${base}/data.txt" }`);
  await (await open(folder)).relock();
  store.close();
  store = openLocalStore({ root: temporaryFolder() });
  writeFileSync(`${root}/served/data.txt`, "2");
  const changed = await errorOf((await open(folder)).evaluate({ attribute: "x" }));
  assert.is(changed.code, "flake.nar-hash-mismatch");
  assert.match(changed.hint ?? "", "another file");
  const own = flake(`{ a: "file+file://${root}/served/data.txt" }`);
  const { value } = await (await open(own)).evaluate({ attribute: "x" });
  assert.is(readFileSync(store.realPath(value as string), "utf8"), "2");
  const gone = await errorOf((await open(flake(`{ a: "file+${base}/gone.txt" }`))).relock());
  assert.is(gone.code, "fetch.unreachable");
});

test("a zip archive is an input, by its ending or by its scheme", async () => {
  if (findProgram("zip") === undefined) return console.log("skipped: there is no program zip");
  const pack = `${root}/zip`;
  writeFiles(`${pack}/hello-1.0`, { greeting: "hi" });
  execFileSync("zip", ["-q", "-r", `${root}/served/hello.zip`, "hello-1.0"], { cwd: pack });
  for (const address of [`${base}/hello.zip`, `tarball+${base}/hello.zip?download=1`]) {
    const folder = flake(`{ a: "${address}" }`);
    const { value } = await (await open(folder)).evaluate({ attribute: "x" });
    assert.is(readFileSync(`${store.realPath(value as string)}/greeting`, "utf8"), "hi");
    assert.is(lockedOf(folder).type, "tarball");
  }
});

test.run();

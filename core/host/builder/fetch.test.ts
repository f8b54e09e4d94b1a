import { mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { spawnSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { formatHash, hashBytes } from "../../base/index.ts";
import { dumpTree, hashTree } from "../files/index.ts";
import { openBuildBench } from "./testdata/build-bench.ts";
import { readDeb } from "./testdata/busybox.ts";

const test = suite("built-in builders");
const bench = await openBuildBench();

if (typeof bench === "string") {
  console.log(`skipped: ${bench}`);
} else {
  const files = new Map<string, Buffer>();
  const server = createServer((request, response) => {
    const content = files.get(request.url ?? "");
    if (content === undefined) response.statusCode = 404;
    response.end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sri = (content: Buffer | string): string => formatHash(hashBytes("sha256", content), "sri");
  const fetchurl = (env: Record<string, unknown>, hash: string, method: "flat" | "recursive" = "flat") =>
    bench.add({ name: "file", system: "builtin", builder: "builtin:fetchurl", fixed: { method, hash }, env });

  test("builtin:fetchurl takes the first address that works", async () => {
    files.set("/a", Buffer.from("content a"));
    const value = await fetchurl({ urls: [`${base}/missing`, `${base}/a`] }, sri("content a"));
    const report = await bench.build(value);
    assert.is(report.exitCode, 0);
    assert.is(readFileSync(bench.real(value), "utf8"), "content a");
    assert.is(statSync(bench.real(value)).mode & 0o777, 0o444);
    assert.ok(report.events.some((event) => event.kind === "progress" && event.doneBytes === 9));
  });

  test("builtin:fetchurl downloads nothing when it may not", async () => {
    const value = await fetchurl({ url: `${base}/a` }, sri("content a, once more"));
    const report = await bench.build(value, { offline: true });
    assert.equal(
      report.failures.map(({ error }) => [error.code, error.details]),
      [["build.offline", [`from ${base}/a`]]],
    );
  });

  test("a builder that is to fetch something has no network when nothing may be downloaded", async () => {
    const port = base.slice(base.lastIndexOf(":") + 1);
    const fetching = await bench.script(`nc -w 3 127.0.0.1 ${port} </dev/null && echo reached > $out`, {
      name: "fetching",
      fixed: { method: "flat", hash: sri("reached\n") },
      env: { url: `${base}/b` },
    });
    const { failures } = await bench.build(fetching, { offline: true });
    assert.equal(
      failures.map(({ error }) => [error.code, error.details?.[0]]),
      [["build.offline", `from ${base}/b`]],
    );
    // One that needs none is built, offline or not.
    const made = await bench.script("echo made > $out", { fixed: { method: "flat", hash: sri("made\n") } });
    assert.is((await bench.build(made, { offline: true })).exitCode, 0);
    assert.is((await bench.build(fetching)).exitCode, 0);
  });

  test("builtin:fetchurl makes programs executable and unpacks archives", async () => {
    const program = Buffer.from("#!/bin/sh\n");
    files.set("/p", program);
    const place = `${mkdtempSync(`${bench.directory}/p-`)}/p`;
    writeFileSync(place, program, { mode: 0o755 });
    const hash = formatHash((await hashTree(place)).narHash, "sri");
    const executable = await fetchurl({ url: `${base}/p`, executable: true }, hash, "recursive");
    assert.is((await bench.build(executable)).exitCode, 0);
    assert.is(statSync(bench.real(executable)).mode & 0o777, 0o555);

    const pieces: Uint8Array[] = [];
    for await (const piece of dumpTree(place)) pieces.push(piece);
    const nar = Buffer.concat(pieces);
    files.set("/p.nar", nar);
    const unpacked = await bench.add({
      name: "unpacked",
      system: "builtin",
      builder: "builtin:fetchurl",
      fixed: { method: "recursive", hash },
      env: { url: `${base}/p.nar`, unpack: true },
    });
    assert.is((await bench.build(unpacked)).exitCode, 0);
    const packed = spawnSync("xz", ["-c"], { input: nar });
    if (packed.status !== 0) return;
    files.set("/p.nar.xz", packed.stdout);
    const compressed = await bench.add({
      name: "compressed",
      system: "builtin",
      builder: "builtin:fetchurl",
      fixed: { method: "recursive", hash },
      env: { url: `${base}/p.nar.xz`, unpack: true },
    });
    assert.is((await bench.build(compressed)).exitCode, 0);
  });

  test("builtin:fetchurl with other content gives 102 and both hashes", async () => {
    files.set("/a", Buffer.from("content a"));
    const value = await fetchurl({ url: `${base}/a` }, sri("content b"));
    const report = await bench.build(value);
    assert.equal([report.exitCode, report.failures[0]?.error.code], [102, "build.hash-mismatch"]);
    assert.equal(report.failures[0]?.error.details, [
      `from:     ${base}/a`,
      `declared: ${sri("content b")}`,
      `found:    ${sri("content a")}`,
    ]);
    assert.not.ok(bench.store.isValid(value.outPath));
  });

  test("builtin:fetchurl that reaches nothing gives 100 and each address with its answer", async () => {
    const report = await bench.build(await fetchurl({ urls: [`${base}/x`, `${base}/y`] }, sri("never")));
    assert.equal([report.exitCode, report.failures[0]?.error.code], [100, "fetch.unreachable"]);
    assert.equal(report.failures[0]?.error.details, [
      `${base}/x: answered 404 Not Found`,
      `${base}/y: answered 404 Not Found`,
    ]);
  });

  test("builtin:fetchurl refuses a derivation without hash, without address, or with an unknown mirror", async () => {
    const code = async (value: Awaited<ReturnType<typeof fetchurl>>) =>
      (await bench.build(value)).failures[0]?.error.code;
    assert.is(
      await code(
        await bench.add({ name: "f", system: "builtin", builder: "builtin:fetchurl", env: { url: `${base}/a` } }),
      ),
      "fetch.not-fixed",
    );
    assert.is(await code(await fetchurl({}, sri("1"))), "fetch.no-url");
    assert.is(await code(await fetchurl({ url: "mirror://nowhere-known/x" }, sri("2"))), "fetch.unknown-mirror");
  });

  test("builtin:fetch-deb-member takes one program out of a package", async () => {
    files.set("/busybox.deb", readDeb(bench.busybox));
    const member = (env: object, hash: string) =>
      bench.add({
        name: "busybox",
        system: "builtin",
        builder: "builtin:fetch-deb-member",
        fixed: { method: "recursive", hash },
        env: { url: `${base}/busybox.deb`, ...env },
      });
    const hash = formatHash((await hashTree(bench.busybox.program)).narHash, "sri");
    const alone = await member({ member: "./bin/busybox" }, hash);
    assert.is((await bench.build(alone)).exitCode, 0);
    assert.ok(readFileSync(bench.real(alone)).equals(readFileSync(bench.busybox.program)));
    assert.is(statSync(bench.real(alone)).mode & 0o777, 0o555);

    // The hash of the directory is not known before; the mismatch tells it, as it does to people.
    const wrong = await bench.build(await member({ member: "bin/busybox", path: "bin/busybox" }, sri("?")));
    assert.is(wrong.exitCode, 102);
    const found = /found: +(\S+)/.exec(wrong.failures[0]?.error.details?.join("\n") ?? "")?.[1] ?? "";
    const inside = await member({ member: "bin/busybox", path: "bin/busybox" }, found);
    assert.is((await bench.build(inside)).exitCode, 0);
    assert.ok(statSync(`${bench.real(inside)}/bin/busybox`).isFile());

    const code = async (env: object) =>
      (await bench.build(await member(env, sri(JSON.stringify(env))))).failures[0]?.error.code;
    assert.is(await code({ member: "./bin/nope" }), "fetch.no-such-member");
    assert.is(await code({ member: "./bin/busybox", path: "../escape" }), "fetch.bad-path");
    files.set("/busybox.deb", Buffer.from("no package"));
    assert.is(await code({ member: "./other" }), "fetch.bad-archive");
  });

  test.after(() => {
    server.close();
    bench.close();
  });
}

test.run();

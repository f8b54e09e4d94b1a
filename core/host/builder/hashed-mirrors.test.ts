import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { formatHash, hashBytes, toBase16 } from "../../base/index.ts";
import { openBuildBench } from "./testdata/build-bench.ts";

const test = suite("hashed mirrors");
const bench = await openBuildBench();

if (typeof bench === "string") {
  console.log(`skipped: ${bench}`);
} else {
  const asked: string[] = [];
  const files = new Map<string, string>();
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    const content = files.get(request.url ?? "");
    if (content === undefined) response.statusCode = 404;
    response.end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  // Settings are read once in a process, so this file is one of its own. Nobody listens at the first.
  const config = `${bench.directory}/config`;
  mkdirSync(`${config}/floe`, { recursive: true });
  writeFileSync(
    `${config}/floe/settings.json`,
    JSON.stringify({ hashedMirrors: ["http://127.0.0.1:1", `${base}/by-hash/`] }),
  );
  process.env["XDG_CONFIG_HOME"] = config;

  const place = (content: string): string => `/by-hash/sha256/${toBase16(hashBytes("sha256", content).digest)}`;
  const file = (content: string, method: "flat" | "recursive" = "flat", env: object = {}) =>
    bench.add({
      ...{ name: "file", system: "builtin", builder: "builtin:fetchurl" },
      fixed: { method, hash: formatHash(hashBytes("sha256", content), "sri") },
      env: { url: `${base}/own`, ...env },
    });
  test.before.each(() => void asked.splice(0));

  test("a file is taken from where it lies by its hash, and its own address is not asked", async () => {
    files.set(place("by hash"), "by hash");
    const value = await file("by hash");
    assert.is((await bench.build(value)).exitCode, 0);
    assert.is(readFileSync(bench.real(value), "utf8"), "by hash");
    assert.equal(asked, [place("by hash")]);
  });

  test("a mirror that has nothing, or lies, is passed over", async () => {
    files.set("/own", "right");
    assert.is((await bench.build(await file("right"))).exitCode, 0);
    assert.equal(asked, [place("right"), "/own"]);
    files.set(place("honest"), "a lie").set("/own", "honest");
    const value = await file("honest");
    assert.is((await bench.build(value)).exitCode, 0);
    assert.is(readFileSync(bench.real(value), "utf8"), "honest");
    assert.equal(asked.slice(2), [place("honest"), "/own"]);
  });

  test("a hash of a tree says nothing about a file", async () => {
    files.set("/own", "program");
    const report = await bench.build(await file("program", "recursive", { executable: true }));
    assert.equal([report.exitCode, report.failures[0]?.error.code], [102, "build.hash-mismatch"]);
    assert.equal(asked, ["/own"]);
  });

  test.after(() => {
    server.close();
    bench.close();
  });
}

test.run();

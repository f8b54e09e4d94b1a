import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, formatSortedJson } from "../../base/index.ts";
import { EMPTY_LOCK, formatLock } from "../../flake/index.ts";
import { parseLock, readLock } from "./read-lock.ts";

const locked = {
  type: "path",
  path: "./a",
  narHash: "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
  lastModified: 1,
};
const lock = (change: object = {}): object => ({
  version: 1,
  root: "root",
  nodes: { root: { inputs: { a: "a" } }, a: { original: "path:./a", locked: { ...locked, ...change } } },
});
const codeOf = (text: string): string => {
  try {
    parseLock(text, "/flake/lock.json");
  } catch (error) {
    return (error as { code: string }).code;
  }
  return "accepted";
};

test("parseLock() reads what formatLock() writes", () => {
  assert.equal(parseLock(formatLock(EMPTY_LOCK), "x"), EMPTY_LOCK);
  assert.equal(parseLock(JSON.stringify(lock()), "x"), lock());
});

test("parseLock() refuses what is no lock", () => {
  for (const text of ["", "{", "[]", "{}", '{"version":1,"root":"root","nodes":{}}', "<<<<<<< ours\n{}\n"])
    assert.is(codeOf(text), "flake.lock-malformed", text);
  for (const change of [
    { narHash: "sha256-x" },
    { narHash: "md5-x" },
    { type: "tarball" },
    { extra: 1 },
    { dir: "../x" },
  ])
    assert.is(codeOf(JSON.stringify(lock(change))), "flake.lock-malformed", JSON.stringify(change));
});

test("parseLock() refuses a list in the place of an object", () => {
  for (const text of [
    '{"version":1,"root":"root","nodes":{"root":[]}}',
    '{"version":1,"root":"root","nodes":{"root":{"inputs":[]}}}',
  ])
    assert.is(codeOf(text), "flake.lock-malformed", text);
});

test("parseLock() refuses a newer version as such", () => {
  assert.is(codeOf('{"version":2}'), "flake.lock-version");
});

test("parseLock() tells the line and column of what is wrong", () => {
  const text = formatSortedJson(lock({ narHash: "sha256-x" }), 2);
  const errorOf = (broken: string) => {
    try {
      parseLock(broken, "/flake/lock.json");
    } catch (error) {
      return error as CodedError;
    }
    throw new Error("it was accepted");
  };
  const line = text.split("\n").findIndex((one) => one.includes("narHash")) + 1;
  const column = (text.split("\n")[line - 1] as string).indexOf('"sha256') + 1;
  assert.equal(errorOf(text).at, { file: "/flake/lock.json", line, column });
  assert.equal(errorOf('{\n  "version": 7\n}').at, { file: "/flake/lock.json", line: 2, column: 14 });
  assert.equal(errorOf("{\n<<<<<<< ours\n").at?.line, 2);
  const twice = errorOf('{"version":1,\n"root":"root","nodes":{"root":{}},\n "root":"root"}');
  assert.match(twice.message, 'it has "root" twice');
  assert.equal(twice.at, { file: "/flake/lock.json", line: 3, column: 2 });
});

test("readLock() refuses what is larger or deeper than any lock", () => {
  assert.is(codeOf("[".repeat(100_000)), "flake.lock-malformed");
  assert.is(codeOf(`{"a":`.repeat(100_000)), "flake.lock-malformed");
  const folder = mkdtempSync(`${tmpdir()}/floe-lock-`);
  try {
    writeFileSync(`${folder}/lock.json`, "");
    truncateSync(`${folder}/lock.json`, 65 * 1024 * 1024);
    assert.throws(
      () => readLock(folder),
      (error: CodedError) => error.code === "flake.lock-malformed" && /bytes/.test(error.message),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();

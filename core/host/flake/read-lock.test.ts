import { test } from "uvu";
import * as assert from "uvu/assert";
import { EMPTY_LOCK, formatLock } from "../../flake/index.ts";
import { parseLock } from "./read-lock.ts";

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

test.run();

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { toJsonSchema } from "@valibot/to-json-schema";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as fc from "fast-check";
import { formatSortedJson } from "../../base/index.ts";
import { formatLock, type LockFile } from "../../flake/index.ts";
import { lockFile, parseLock } from "./read-lock.ts";
import { compileLockSchema, readCheckedLock } from "./testing.ts";

const FILE = fileURLToPath(new URL("../../../docs/lock.schema.json", import.meta.url));

test("docs/lock.schema.json says what the reader of locks takes", () => {
  // That a hash is whole is more than a pattern can say; all else is the same.
  const made = toJsonSchema(lockFile, { typeMode: "input", ignoreActions: ["check"] });
  const text = `${formatSortedJson({ title: "lock.json of a Floe flake, version 1", ...made }, 2)}\n`;
  if (process.env["UPDATE_GOLDENS"] === "1") writeFileSync(FILE, text);
  assert.is(readFileSync(FILE, "utf8"), text, "UPDATE_GOLDENS=1 writes it anew");
});

test("the schema takes this repository's own lock", () => {
  readCheckedLock(fileURLToPath(new URL("../../../lock.json", import.meta.url)));
});

const hash = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => `sha256-${Buffer.from(bytes).toString("base64")}`);
const rev = fc.stringMatching(/^[0-9a-f]{40}$/);
const facts = { narHash: hash, lastModified: fc.nat() };
const dir = fc.constantFrom("a", "a/b", "..a", ".hidden/x");
const locked = fc.oneof(
  fc.record(
    {
      type: fc.constant("git" as const),
      url: fc.constantFrom("https://example.org/a", "ssh://git@example.org/a"),
      rev,
      ref: fc.constant("refs/heads/main"),
      submodules: fc.constant(true as const),
      dir,
      ...facts,
    },
    { requiredKeys: ["type", "url", "rev", "narHash", "lastModified"] },
  ),
  fc.record(
    { type: fc.constant("tarball" as const), url: fc.constant("https://example.org/a.tar.gz"), rev, dir, ...facts },
    { requiredKeys: ["type", "url", "narHash", "lastModified"] },
  ),
  fc.record(
    { type: fc.constant("path" as const), path: fc.constantFrom("./a", "/srv"), dir, ...facts },
    { requiredKeys: ["type", "path", "narHash", "lastModified"] },
  ),
);
const target = fc.oneof(fc.constantFrom("a", "b"), fc.array(fc.constantFrom("a", "b")));
const targets = fc.dictionary(fc.constantFrom("a", "b", "b/c"), target);
const node = fc.record(
  { inputs: targets, overrides: targets, flake: fc.constant(false as const), original: fc.string(), locked },
  { requiredKeys: ["original", "locked"] },
);
const locks = fc.record({
  version: fc.constant(1 as const),
  root: fc.constant("root"),
  nodes: fc
    .record({ a: node, b: node, root: fc.record({ inputs: targets }, { requiredKeys: [] }) })
    .map((nodes) => nodes as LockFile["nodes"]),
});

test("parseLock() reads back every lock that formatLock() writes, and the schema takes it", () => {
  const isLock = compileLockSchema();
  fc.assert(
    fc.property(locks, (lock) => {
      const text = formatLock(lock);
      assert.is(formatLock(parseLock(text, "lock.json")), text);
      assert.ok(isLock(JSON.parse(text)));
    }),
  );
});

test("the schema and the reader refuse the same", () => {
  const isLock = compileLockSchema();
  const change = fc.record({
    path: fc.constantFrom(
      ["version"],
      ["nodes"],
      ["nodes", "a"],
      ["nodes", "a", "locked"],
      ["nodes", "a", "locked", "url"],
      ["nodes", "a", "locked", "rev"],
      ["nodes", "a", "locked", "dir"],
      ["nodes", "a", "locked", "type"],
      ["nodes", "a", "locked", "narHash"],
      ["nodes", "a", "locked", "lastModified"],
      ["nodes", "a", "flake"],
      ["nodes", "a", "inputs"],
      ["nodes", "a", "more"],
    ),
    value: fc.constantFrom<unknown>(null, 1, "x", "../x", true, false, [], {}, undefined, "git", "https://-x/a", 1.5),
  });
  fc.assert(
    fc.property(locks, change, (lock, { path, value }) => {
      const changed = JSON.parse(formatLock(lock)) as Record<string, unknown>;
      let at = changed;
      for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
      const last = path.at(-1) as string;
      if (value === undefined) delete at[last];
      else at[last] = value;
      let isRead = true;
      try {
        parseLock(JSON.stringify(changed), "lock.json");
      } catch {
        isRead = false;
      }
      // A lock without its root is refused by the reader alone.
      if (path.length === 1 && last === "nodes") return;
      assert.is(isLock(changed), isRead, JSON.stringify(changed));
    }),
    { numRuns: 500 },
  );
});

test.run();

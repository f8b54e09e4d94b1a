import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BuiltTemplate, buildTemplate, FACTS_FILE } from "./built-template.ts";
import { packMemory, unpackMemory } from "./packed-memory.ts";

const root = mkdtempSync(join(tmpdir(), "floe-packed-memory-test-"));
test.after(() => rmSync(root, { recursive: true, force: true }));

const PAGE = 4096;
const PAGES = 2048;

/** A memory with something at its ends, in single pages, in runs, across the borders of pieces, and in a page that is no whole one. */
function someMemory(): Buffer {
  const memory = Buffer.alloc(PAGES * PAGE + 100);
  for (const [first, count] of [
    [0, 1],
    [7, 3],
    [250, 12],
    [511, 2],
    [1000, 300],
    [2047, 1],
  ] as const) {
    randomBytes(count * PAGE).copy(memory, first * PAGE);
  }
  memory[600 * PAGE + 4095] = 1;
  memory[PAGES * PAGE + 99] = 1;
  return memory;
}

function folderWith(files: Readonly<Record<string, string | Buffer>>): string {
  const folder = mkdtempSync(join(root, "folder-"));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}

test("unpackMemory() makes the memory again that packMemory() wrote down, with its holes", () => {
  const memory = someMemory();
  const folder = folderWith({ ram: memory });
  packMemory(join(folder, "ram"), join(folder, "packed"));
  unpackMemory(join(folder, "packed"), join(folder, "again"));
  assert.ok(readFileSync(join(folder, "again")).equals(memory));
  const [packed, again] = [statSync(join(folder, "packed")).size, statSync(join(folder, "again")).blocks * 512];
  assert.ok(packed < 400 * PAGE, `${packed} bytes`);
  assert.ok(again < 400 * PAGE, `${again} bytes`);
});

test("a memory that is empty is packed into its size", () => {
  const folder = folderWith({ ram: Buffer.alloc(1 << 21) });
  packMemory(join(folder, "ram"), join(folder, "packed"));
  assert.is(statSync(join(folder, "packed")).size, 8);
  unpackMemory(join(folder, "packed"), join(folder, "again"));
  assert.is(statSync(join(folder, "again")).size, 1 << 21);
});

test("unpackMemory() takes no memory that was cut off", () => {
  const folder = folderWith({ ram: someMemory() });
  packMemory(join(folder, "ram"), join(folder, "packed"));
  const { size } = statSync(join(folder, "packed"));
  for (const left of [size - 1, size - PAGE, 20, 3]) {
    truncateSync(join(folder, "packed"), left);
    assert.throws(() => unpackMemory(join(folder, "packed"), join(folder, `again-${left}`)), /is not whole/);
  }
});

test("a template out of the store has its memory in a file of its own, once for all who hold it", async () => {
  const [memory, facts] = [someMemory(), JSON.stringify({ machine: "m", architecture: "x86_64", accelerator: "tcg" })];
  const frozen = folderWith({ ram: memory, state: "devices", "root.qcow2": "disk" });
  const out = folderWith({ [FACTS_FILE]: facts });
  buildTemplate(frozen, out);
  assert.not.ok(readdirSync(out).includes("ram"));
  const built = new BuiltTemplate(out);
  const [one, other] = await Promise.all([built.hold(), built.hold()]);
  try {
    assert.is(one.folder, other.folder);
    assert.ok(readFileSync(join(one.folder, "ram")).equals(memory));
    assert.is(readFileSync(join(one.folder, "state"), "ascii"), "devices");
    assert.is(readFileSync(join(one.folder, "root.qcow2"), "ascii"), "disk");
  } finally {
    rmSync(one.folder, { recursive: true });
  }
});

test("a template that says why there is nothing to copy has no files to make", async () => {
  const out = folderWith({ [FACTS_FILE]: JSON.stringify({ machine: "m", refused: "it does not boot" }) });
  assert.is((await new BuiltTemplate(out).hold()).folder, out);
});

test.run();

import { mkdirSync, readFileSync, readdirSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { makeEtcTree, makeInitrd, makeProgramTree } from "./index.ts";
import { beginTestEvaluation, makeTemporaryFolder, runBuilder, testPackage } from "./testing.ts";

beginTestEvaluation();
const bash = testPackage("bash");
const coreutils = testPackage("coreutils");
const busybox = testPackage("busybox");
const host = makeTemporaryFolder();
mkdirSync(join(host, "bin"));
writeFileSync(join(host, "bin/busybox"), "BUSYBOX!");
const places = new Map([
  [bash, "/usr"],
  [coreutils, "/usr"],
  [busybox, host],
]);
const base = { platform: "x86_64-linux", bash, coreutils };
const link = { mode: "symlink", user: "root", group: "root" };

test("makeEtcTree() writes texts as they are, links sources, and lists entries", () => {
  const text = 'it\'s "odd" $HOME `x` & \\n\n';
  const { tree, lines } = makeEtcTree({
    ...base,
    entries: {
      "a/b/c.conf": { ...link, content: { kind: "text", text } },
      secret: { content: { kind: "text", text: "s" }, mode: "0600", user: "root", group: "wheel" },
      "a/link": { ...link, content: { kind: "source", path: "/dev/null" } },
    },
  });
  const out = runBuilder(tree, places);
  assert.is(readFileSync(join(out, "etc/a/b/c.conf"), "utf8"), text);
  assert.is(readlinkSync(join(out, "etc/a/link")), "/dev/null");
  assert.is(readlinkSync(join(out, "links/a/b/c.conf")), "/etc/static/a/b/c.conf");
  assert.equal(readdirSync(join(out, "links")), ["a"], "a copy has no link");
  assert.equal(lines, ["a/b/c.conf", "a/link", "secret\t0600\troot\twheel"]);
});

test("etc.path, etc.inside", () => {
  const content = { kind: "text", text: "" } as const;
  const make =
    (...paths: string[]) =>
    () =>
      makeEtcTree({ ...base, entries: Object.fromEntries(paths.map((path) => [path, { ...link, content }])) });
  for (const path of ["/a", "a/../b", "a//b", "", "a\tb"])
    assert.throws(make(path), (error: { code: string }) => error.code === "etc.path");
  assert.throws(make("a", "a/b"), (error: { code: string }) => error.code === "etc.inside");
  assert.not.throws(make("a", "ab/c"));
});

test("makeProgramTree() merges bin and sbin; the earlier package wins", () => {
  const one = testPackage("one");
  const two = testPackage("two");
  for (const [name, files] of [
    ["one", ["bin/x", "sbin/y"]],
    ["two", ["bin/x", "bin/z"]],
  ] as const) {
    for (const file of files) {
      mkdirSync(join(host, name, file, ".."), { recursive: true });
      writeFileSync(join(host, name, file), "");
    }
  }
  const out = runBuilder(
    makeProgramTree({ ...base, packages: [one, two, one] }),
    new Map([...places, [one, join(host, "one")], [two, join(host, "two")]]),
  );
  assert.equal(readdirSync(join(out, "bin")).sort(), ["x", "y", "z"]);
  assert.is(readlinkSync(join(out, "bin/x")), join(host, "one/bin/x"));
});

test("makeInitrd() writes an archive that the kernel unpacks", () => {
  const module = testPackage("module");
  writeFileSync(join(host, "module"), "abc");
  const made = makeInitrd({ ...base, busybox, files: { "lib/modules/10-x.ko": `${module}` } });
  const map = new Map([...places, [module, join(host, "module")]]);
  const out = runBuilder(made, map);
  const entries = readArchive(readFileSync(out));
  assert.equal(
    [...entries.keys()],
    [
      "bin",
      "dev",
      "mnt",
      "proc",
      "sys",
      "bin/busybox",
      "bin/sh",
      "init",
      "lib",
      "lib/modules",
      "lib/modules/10-x.ko",
      "TRAILER!!!",
    ],
  );
  assert.equal(entries.get("bin/busybox"), { mode: 0o100755, text: "BUSYBOX!" });
  assert.equal(entries.get("bin/sh"), { mode: 0o120777, text: "busybox" });
  assert.equal(entries.get("lib/modules/10-x.ko"), { mode: 0o100644, text: "abc" });
  assert.match(entries.get("init")?.text ?? "", /^#!\/bin\/busybox sh\n/);
  assert.is(statSync(out).size % 4, 0);
  assert.ok(readFileSync(out).equals(readFileSync(runBuilder(made, map))), "the same bytes each time");
});

/** Read a "newc" archive as Documentation/driver-api/early-userspace/buffer-format.rst of Linux says. */
function readArchive(bytes: Buffer): Map<string, { mode: number; text: string }> {
  const entries = new Map<string, { mode: number; text: string }>();
  let at = 0;
  while (at < bytes.length) {
    assert.is(bytes.toString("latin1", at, at + 6), "070701");
    const field = (index: number) =>
      Number.parseInt(bytes.toString("latin1", at + 6 + 8 * index, at + 14 + 8 * index), 16);
    const [mode, size, nameSize] = [field(1), field(6), field(11)];
    const name = bytes.toString("utf8", at + 110, at + 110 + nameSize - 1);
    const start = (at + 110 + nameSize + 3) & ~3;
    entries.set(name, { mode, text: bytes.toString("utf8", start, start + size) });
    at = (start + size + 3) & ~3;
  }
  return entries;
}

test.run();

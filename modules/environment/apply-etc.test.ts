import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ActivationRoot } from "../testing-activation.ts";
import { ETC_SNIPPET } from "./apply-etc.ts";

test("/etc follows the generation: links, copies, and entries that go away", () => {
  const root = new ActivationRoot();
  writeFileSync(root.path("etc/mine"), "user");
  const one = root.addSystem("one", { a: "a1", "dir/b": "b1", "deep/er/c": "c1", key: "k1" }, [
    "a",
    "dir/b",
    "deep/er/c",
    "key\t0600\t0\t0",
  ]);
  root.run(ETC_SNIPPET, one);
  assert.is(readlinkSync(root.path("etc/static")), `${one}/etc`);
  assert.is(readlinkSync(root.path("etc/dir/b")), "/etc/static/dir/b");
  assert.is(readFileSync(root.path("etc/key"), "utf8"), "k1");
  assert.is(statSync(root.path("etc/key")).mode & 0o777, 0o600);
  assert.equal(lstatSync(root.path("etc/key")).isSymbolicLink(), false);

  const before = lstatSync(root.path("etc/a")).mtimeMs;
  root.run(ETC_SNIPPET, one);
  assert.is(lstatSync(root.path("etc/a")).mtimeMs, before, "a second run touches nothing");

  writeFileSync(root.path("etc/dir/users-own"), "");
  const two = root.addSystem("two", { a: "a2", dir2: "->/nowhere" });
  root.run(ETC_SNIPPET, two);
  assert.equal(readdirSync(root.path("etc")).sort(), ["a", "dir", "dir2", "mine", "static"]);
  assert.equal(readdirSync(root.path("etc/dir")), ["users-own"]);
  assert.is(readlinkSync(root.path("etc/a")), "/etc/static/a");
  assert.is(readFileSync(root.path("etc/mine"), "utf8"), "user");
});

test("a folder may take the place of an entry, and an entry that of a folder", () => {
  const root = new ActivationRoot();
  const flat = root.addSystem("flat", { x: "->/usr", y: "text" });
  const deep = root.addSystem("deep", { "x/file": "f", "y/file": "g" });
  root.run(ETC_SNIPPET, flat);
  root.run(ETC_SNIPPET, deep);
  assert.is(readlinkSync(root.path("etc/x/file")), "/etc/static/x/file");
  assert.is(readlinkSync(root.path("etc/y/file")), "/etc/static/y/file");
  root.run(ETC_SNIPPET, flat);
  assert.is(readlinkSync(root.path("etc/x")), "/etc/static/x");
});

test("what somebody else put in the place of an entry is kept beside it", () => {
  const root = new ActivationRoot();
  writeFileSync(root.path("etc/a"), "theirs");
  mkdirSync(root.path("etc/b"));
  writeFileSync(root.path("etc/b/inside"), "theirs");
  root.run(ETC_SNIPPET, root.addSystem("one", { a: "ours", b: "ours" }));
  assert.is(readFileSync(root.path("etc/a.before-floe"), "utf8"), "theirs");
  assert.is(readFileSync(root.path("etc/b.before-floe/inside"), "utf8"), "theirs");
  assert.is(readlinkSync(root.path("etc/b")), "/etc/static/b");
});

test("what somebody put in the place of our link stays, when the entry is kept and when it goes", () => {
  const root = new ActivationRoot();
  const one = root.addSystem("one", { kept: "ours", gone: "ours" });
  root.run(ETC_SNIPPET, one);
  for (const name of ["kept", "gone"]) {
    rmSync(root.path("etc", name));
    writeFileSync(root.path("etc", name), "theirs");
  }
  const two = root.addSystem("two", { kept: "ours" });
  root.run(ETC_SNIPPET, two);
  assert.is(readFileSync(root.path("etc/gone"), "utf8"), "theirs");
  assert.is(readFileSync(root.path("etc/kept.before-floe"), "utf8"), "theirs");
  assert.is(readlinkSync(root.path("etc/kept")), "/etc/static/kept");
  rmSync(root.path("etc/kept"));
  writeFileSync(root.path("etc/kept"), "theirs again");
  root.run(ETC_SNIPPET, two);
  assert.is(readFileSync(root.path("etc/kept.before-floe"), "utf8"), "theirs again");
  assert.is(readFileSync(root.path("etc/kept.before-floe.~1~"), "utf8"), "theirs");
});

test("a copy may become a link, and a link a copy; then either goes away", () => {
  const root = new ActivationRoot();
  const copy = root.addSystem("copy", { a: "1", b: "1" }, ["a\t0600\t0\t0", "b"]);
  const link = root.addSystem("link", { a: "2", b: "2" }, ["a", "b\t0600\t0\t0"]);
  root.run(ETC_SNIPPET, copy);
  root.run(ETC_SNIPPET, link);
  assert.is(readlinkSync(root.path("etc/a")), "/etc/static/a");
  assert.is(readFileSync(root.path("etc/b"), "utf8"), "2");
  root.run(ETC_SNIPPET, root.addSystem("none", {}));
  assert.equal(readdirSync(root.path("etc")), ["static"]);
});

test("a copy never writes through what an interrupted run left", () => {
  const root = new ActivationRoot();
  const one = root.addSystem("one", { link: "of the store", key: "secret" }, ["link", "key\t0600\t0\t0"]);
  root.run(ETC_SNIPPET, one);
  symlinkSync("/etc/static/link", root.path("etc/.floe-entry.new"));
  root.run(ETC_SNIPPET, one);
  assert.is(readFileSync(root.path("systems/one/etc/link"), "utf8"), "of the store");
  assert.is(readFileSync(root.path("etc/key"), "utf8"), "secret");
});

test("an interrupted run is completed by the next, and forgets no entry", () => {
  const root = new ActivationRoot();
  const one = root.addSystem("one", { a: "1", b: "1", "c/d": "1" });
  const two = root.addSystem("two", { e: "2" });
  // Ends in the middle: after the list of entries was written, before the first one is made.
  const cut = ETC_SNIPPET.replace("# Dropped entries go first", "exit 0\n#");
  assert.is.not(cut, ETC_SNIPPET);
  root.run(cut, one);
  root.run(ETC_SNIPPET, one);
  assert.ok(existsSync(root.path("etc/c")));
  root.run(cut, two);
  root.run(ETC_SNIPPET, two);
  assert.equal(readdirSync(root.path("etc")).sort(), ["e", "static"]);
});

test("killed at any instant, every entry is the old one or the new one, and the next run completes", () => {
  const before = { both: "1", changes: "1", "old/only": "1", flips: "1", "turns/inside": "1" };
  const after = { both: "2", changes: "2", "new/only": "2", "flips/inside": "2", turns: "2" };
  const paths = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  let ended = false;
  for (let killAt = 1; !ended; killAt += 9) {
    const root = new ActivationRoot();
    root.run(ETC_SNIPPET, root.addSystem("one", before));
    ended = root.run(ETC_SNIPPET, root.addSystem("two", after), killAt);
    for (const name of ["both", "changes"]) {
      // Through the link as the machine sees it: /etc/static is one of the two trees.
      const tree = readlinkSync(root.path("etc/static"));
      assert.is(readlinkSync(root.path("etc", name)), `/etc/static/${name}`, `after command ${killAt}`);
      assert.match(readFileSync(`${tree}/${name}`, "utf8"), /^[12]$/);
    }
    root.run(ETC_SNIPPET, root.path("systems/two"));
    assert.is(readlinkSync(root.path("etc/static")), root.path("systems/two/etc"));
    for (const path of paths) {
      const link = path in after ? `/etc/static/${path}` : undefined;
      assert.is(tryReadLink(root.path("etc", path)), link, `${path} after an end at command ${killAt}`);
    }
    assert.equal(
      readFileSync(root.path("var/lib/floe/etc-entries"), "utf8").trim().split("\n").sort(),
      Object.keys(after).sort(),
    );
  }
});

function tryReadLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

test.run();

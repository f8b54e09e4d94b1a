import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseHash } from "../base/index.ts";
import { hashedAddresses, resolveMirrors, showUrl } from "./mirrors.ts";

const settings = {
  hashedMirrors: [],
  mirrors: {
    debian: ["http://a.example/debian/", "http://b.example/debian"],
    "debian-snapshot": ["http://s.example/archive/{timestamp}/"],
  },
};

test("resolveMirrors() gives every address in order", () => {
  assert.equal(resolveMirrors("mirror://debian/pool/x.deb", settings), [
    "http://a.example/debian/pool/x.deb",
    "http://b.example/debian/pool/x.deb",
  ]);
  assert.equal(resolveMirrors("https://x.example/y", settings), ["https://x.example/y"]);
});

test("resolveMirrors() asks the archive last, at the pinned moment", () => {
  assert.equal(
    resolveMirrors("mirror://debian/pool/x.deb", settings, { timestamp: "20250101T000000Z" }).at(-1),
    "http://s.example/archive/20250101T000000Z/pool/x.deb",
  );
});

test("resolveMirrors() refuses a mirror without address", () => {
  assert.throws(
    () => resolveMirrors("mirror://gnu/hello.tar.gz", settings),
    (error: { code?: string }) => error.code === "fetch.unknown-mirror",
  );
});

test("showUrl() hides what may be secret", () => {
  assert.is(showUrl("https://user:pw@x.example/a?token=1#b"), "https://x.example/a");
});

test("hashedAddresses() names a file by its hash", () => {
  // coreutils: printf '' | sha1sum
  const hash = parseHash("sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709");
  const settings = { mirrors: {}, hashedMirrors: ["https://a.example", "file:///b/"] };
  assert.equal(hashedAddresses(hash, settings), [
    "https://a.example/sha1/da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "file:///b/sha1/da39a3ee5e6b4b0d3255bfef95601890afd80709",
  ]);
});

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import { resolveMirrors, showUrl } from "./mirrors.ts";

const settings = {
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

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import * as fc from "fast-check";
import { formatReference, parseReference } from "./reference.ts";
import { withoutCredentials } from "./without-credentials.ts";

const REV = "0123456789abcdef0123456789abcdef01234567";

test("parseReference() reads every scheme", () => {
  assert.equal(parseReference("git+https://example.org/a.git?ref=main&dir=sub"), {
    kind: "git",
    url: "https://example.org/a.git",
    ref: "main",
    dir: "sub",
  });
  assert.equal(parseReference("git+http://localhost:8080/a.git"), { kind: "git", url: "http://localhost:8080/a.git" });
  assert.equal(parseReference(`git+ssh://git@example.org/a.git?rev=${REV}`), {
    kind: "git",
    url: "ssh://git@example.org/a.git",
    rev: REV,
  });
  assert.equal(parseReference("git+file:///srv/a.git"), { kind: "git", url: "file:///srv/a.git" });
  assert.equal(parseReference("git@example.org:owner/a.git?ref=x"), {
    kind: "git",
    url: "ssh://git@example.org/owner/a.git",
    ref: "x",
  });
  assert.equal(parseReference("path:./pages"), { kind: "path", path: "./pages" });
  assert.equal(parseReference("path:pages/"), { kind: "path", path: "./pages" });
  assert.equal(parseReference("../other?dir=flake"), { kind: "path", path: "../other", dir: "flake" });
  assert.equal(parseReference("/srv/flake"), { kind: "path", path: "/srv/flake" });
});

test("parseReference() reads single files, and addresses that end like a zip archive", () => {
  assert.equal(parseReference("file+https://example.org/a.json?v=1&lastModified=7"), {
    kind: "file",
    url: "https://example.org/a.json?v=1",
    lastModified: 7,
  });
  assert.equal(parseReference("file+file:///srv/a.tar.gz"), { kind: "file", url: "file:///srv/a.tar.gz" });
  assert.equal(parseReference("https://example.org/a.zip"), { kind: "tarball", url: "https://example.org/a.zip" });
  assert.throws(() => parseReference("file+https://-x/a"), /begins with a dash/);
});

test("parseReference() reads what else to fetch of a repository", () => {
  assert.equal(parseReference("git+https://example.org/a?lfs=1&submodules=1&allRefs=1&shallow=0"), {
    kind: "git",
    url: "https://example.org/a",
    submodules: true,
    lfs: true,
  });
  assert.throws(() => parseReference("git+https://example.org/a?lfs=maybe"), /found "maybe" for lfs, expected 1 or 0/);
});

test("parseReference() resolves shorthands to git over https", () => {
  assert.equal(parseReference("github:owner/repo"), { kind: "git", url: "https://github.com/owner/repo.git" });
  assert.equal(parseReference("github:owner/repo/feature/x"), {
    kind: "git",
    url: "https://github.com/owner/repo.git",
    ref: "feature/x",
  });
  assert.equal(parseReference(`gitlab:owner/repo/${REV}`), {
    kind: "git",
    url: "https://gitlab.com/owner/repo.git",
    rev: REV,
  });
  assert.equal(parseReference("gitlab:owner/repo?host=git.example.org"), {
    kind: "git",
    url: "https://git.example.org/owner/repo.git",
  });
  assert.equal(parseReference("sourcehut:~owner/repo"), { kind: "git", url: "https://git.sr.ht/~owner/repo" });
  assert.equal(parseReference("github:owner/repo?semver=%5E1.4"), {
    kind: "git",
    url: "https://github.com/owner/repo.git",
    semver: "^1.4",
  });
});

test("parseReference() reads archives, with what their servers say of them", () => {
  const hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  assert.equal(parseReference("tarball+https://example.org/latest"), {
    kind: "tarball",
    url: "https://example.org/latest",
  });
  for (const end of ["tar", "tar.gz", "tgz", "tar.xz", "txz", "tar.zst", "tar.bz2", "tbz2"])
    assert.is(parseReference(`https://example.org/a.${end}`).kind, "tarball", end);
  assert.equal(parseReference("file:///srv/a.tar.gz?dir=sub"), {
    kind: "tarball",
    url: "file:///srv/a.tar.gz",
    dir: "sub",
  });
  assert.equal(
    parseReference(
      `tarball+https://example.org/get?file=a%20b&rev=${REV}&revCount=7&lastModified=12&narHash=${encodeURIComponent(hash)}`,
    ),
    { kind: "tarball", url: "https://example.org/get?file=a%20b", rev: REV, lastModified: 12, narHash: hash },
  );
});

test("parseReference() reads switches of repositories", () => {
  assert.equal(parseReference("git+https://example.org/a?submodules=1&shallow=1"), {
    kind: "git",
    url: "https://example.org/a",
    submodules: true,
  });
  assert.equal(parseReference("git+https://example.org/a?submodules=0"), { kind: "git", url: "https://example.org/a" });
});

test("formatReference() writes what parseReference() reads", () => {
  for (const text of [
    "git+https://example.org/a.git?ref=feature/x&dir=sub",
    "git+https://example.org/a.git?semver=%5E1.4",
    "path:./pages",
    "git+https://example.org/a.git?rev=0123456789abcdef0123456789abcdef01234567&lastModified=12",
    "git+https://example.org/a.git?submodules=1&narHash=sha256-47DEQpj8HBSa%2B/TImW%2B5JCeuQeRkm5NMpJWZG3hSuFU%3D",
    "path:/srv?dir=a",
    "tarball+https://example.org/a?x=1&dir=sub&lastModified=3",
  ]) {
    assert.is(formatReference(parseReference(text)), text);
    assert.equal(parseReference(formatReference(parseReference(text))), parseReference(text));
  }
});

test("parseReference() reads back every reference that formatReference() writes", () => {
  const name = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,8}$/).filter((text) => !text.includes(".."));
  const dir = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
  const narHash = fc
    .uint8Array({ minLength: 32, maxLength: 32 })
    .map((bytes) => `sha256-${Buffer.from(bytes).toString("base64")}`);
  const rev = fc.stringMatching(/^[0-9a-f]{40}$/);
  const lastModified = fc.nat();
  const optional = { dir, narHash, lastModified };
  const reference = fc.oneof(
    fc.record(
      {
        kind: fc.constant("git" as const),
        url: fc.tuple(fc.constantFrom("https://h/", "ssh://git@h:22/", "file:///"), dir).map(([a, b]) => a + b),
        ref: dir,
        rev,
        submodules: fc.constant(true as const),
        ...optional,
      },
      { requiredKeys: ["kind", "url"] },
    ),
    fc.record(
      {
        kind: fc.constant("tarball" as const),
        url: fc.tuple(dir, fc.constantFrom("", "?a=1", "?a=%20&b=c%2Bd")).map(([a, b]) => `https://h/${a}${b}`),
        rev,
        ...optional,
      },
      { requiredKeys: ["kind", "url"] },
    ),
    fc.record(
      { kind: fc.constant("path" as const), path: dir.map((path) => `/${path}`), dir, narHash },
      { requiredKeys: ["kind", "path"] },
    ),
  );
  fc.assert(fc.property(reference, (each) => assert.equal(parseReference(formatReference(each)), { ...each })));
});

test("parseReference() refuses what it does not know, with a hint", () => {
  const failure = (text: string): { code: string; hint?: string } => {
    try {
      parseReference(text);
    } catch (error) {
      return error as { code: string; hint?: string };
    }
    throw new Error(`"${text}" was accepted`);
  };
  assert.is(failure("nixpkgs").code, "flake-reference.malformed");
  assert.is(failure("flake:nixpkgs").code, "flake-reference.registry-name");
  assert.is(failure("gihub:owner/repo").code, "flake-reference.unknown-scheme");
  assert.is(failure("gihub:owner/repo").hint, 'Did you mean "github"?');
  assert.is(
    failure("https://example.org/a").hint,
    'Write "git+https://example.org/a" for a git repository, "tarball+https://example.org/a" for an archive, "file+https://example.org/a" for a single file.',
  );
  assert.is(failure("github:owner").code, "flake-reference.malformed");
  assert.is(failure("github:owner/repo?reff=x").code, "flake-reference.unknown-parameter");
  assert.is(failure("github:owner/repo?reff=x").hint, 'Did you mean "ref"?');
  for (const bad of [
    "rev=123",
    "ref=--upload-pack=x",
    "ref=a..b",
    "dir=../x",
    "semver=^1&ref=a",
    "ref",
    "ref=%",
    "submodules=yes",
    "narHash=x",
  ]) {
    assert.is(failure(`git+https://example.org/a?${bad}`).code, "flake-reference.malformed", bad);
  }
  for (const bad of ["rev=1", "lastModified=x", "narHash=md5-x", "dir=.."])
    assert.is(failure(`tarball+https://example.org/a?${bad}`).code, "flake-reference.malformed", bad);
  assert.is(failure("git+ssh://-oProxyCommand=x/a").code, "flake-reference.malformed");
  for (const missing of ["git+http://undefined/a", "git+ssh://git@null:22/a", "github:owner/[object Object]"])
    assert.match(failure(missing).hint ?? "", "A value that it is put together from is missing", missing);
  assert.is(parseReference("github:undefined/null").kind, "git");
});

test("parseReference() says what an address lacks whose scheme it knows", () => {
  assert.throws(() => parseReference("git+file:plain"), /found no "\/\/" after "git\+file:"/);
  assert.throws(() => parseReference("tarball+https:a.example"), /found no "\/\/" after "tarball\+https:"/);
});

test("withoutCredentials() hides passwords and tokens and keeps plain ssh users", () => {
  assert.is(withoutCredentials("git+https://user:secret@example.org/a"), "git+https://***@example.org/a");
  assert.is(withoutCredentials("https://token@example.org/a failed"), "https://***@example.org/a failed");
  assert.is(withoutCredentials("ssh://git@example.org/a"), "ssh://git@example.org/a");
  assert.is(
    withoutCredentials("https://example.org/a?private_token=abc&ref=x&X-Amz-Signature=def failed"),
    "https://example.org/a?private_token=***&ref=x&X-Amz-Signature=*** failed",
  );
  assert.is(withoutCredentials("git+ssh://git:pw@example.org/a"), "git+ssh://***@example.org/a");
});

test("flake-reference.mercurial: names what to take in its place", () => {
  for (const text of ["hg+https://hg.example.org/a", "hg+ssh://hg.example.org/a", "hg+file:///a"]) {
    assert.throws(
      () => parseReference(text),
      (error: { code?: string; hint?: string }) =>
        error.code === "flake-reference.mercurial" && error.hint?.includes("tarball+https://") === true,
    );
  }
});

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatReference, parseReference, withoutCredentials } from "./reference.ts";

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

test("formatReference() writes what parseReference() reads", () => {
  for (const text of [
    "git+https://example.org/a.git?ref=feature/x&dir=sub",
    "git+https://example.org/a.git?semver=%5E1.4",
    "path:./pages",
    "path:/srv?dir=a",
  ]) {
    assert.is(formatReference(parseReference(text)), text);
    assert.equal(parseReference(formatReference(parseReference(text))), parseReference(text));
  }
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
  assert.is(failure("gihub:owner/repo").code, "flake-reference.unknown-scheme");
  assert.is(failure("gihub:owner/repo").hint, 'Did you mean "github"?');
  assert.is(failure("https://example.org/a.git").hint, 'Write "git+https://example.org/a.git" for a git repository.');
  assert.is(failure("github:owner").code, "flake-reference.malformed");
  assert.is(failure("github:owner/repo?reff=x").code, "flake-reference.unknown-parameter");
  assert.is(failure("github:owner/repo?reff=x").hint, 'Did you mean "ref"?');
  for (const bad of ["rev=123", "ref=--upload-pack=x", "ref=a..b", "dir=../x", "semver=^1&ref=a", "ref", "ref=%"]) {
    assert.is(failure(`git+https://example.org/a?${bad}`).code, "flake-reference.malformed", bad);
  }
  assert.is(failure("git+ssh://-oProxyCommand=x/a").code, "flake-reference.malformed");
});

test("withoutCredentials() hides passwords and tokens and keeps plain ssh users", () => {
  assert.is(withoutCredentials("git+https://user:secret@example.org/a"), "git+https://***@example.org/a");
  assert.is(withoutCredentials("https://token@example.org/a failed"), "https://***@example.org/a failed");
  assert.is(withoutCredentials("ssh://git@example.org/a"), "ssh://git@example.org/a");
  assert.is(withoutCredentials("git+ssh://git:pw@example.org/a"), "git+ssh://***@example.org/a");
});

test.run();

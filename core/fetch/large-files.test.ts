import { test } from "uvu";
import * as assert from "uvu/assert";
import * as fc from "fast-check";
import { batchQuestion, largeFileServer, parsePointer, readBatchAnswer } from "./large-files.ts";

const OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";

test("parsePointer() reads what git-lfs writes, and nothing else", () => {
  // The example of the specification of Git LFS.
  const text = `version https://git-lfs.github.com/spec/v1\noid sha256:${OID}\nsize 12345\n`;
  assert.equal(parsePointer(text), { oid: OID, sizeBytes: 12345 });
  const extended = text.replace("oid", `ext-0-foo sha256:${OID}\noid`);
  assert.equal(parsePointer(extended), { oid: OID, sizeBytes: 12345 });
  const others = [
    "",
    "text",
    text.replace("v1", "v2"),
    text.replace("sha256:4", "sha256:X"),
    text.replace("12345", "-1"),
  ];
  for (const other of [...others, `${text}${"x".repeat(1024)}`, text.replace("sha256", "md5")])
    assert.is(parsePointer(other), undefined);
});

test("parsePointer() takes any text", () => {
  fc.assert(fc.property(fc.string(), (text) => parsePointer(text) === undefined));
});

test("largeFileServer() finds the server as git-lfs does", () => {
  assert.is(largeFileServer("https://git.example.org/a/b"), "https://git.example.org/a/b.git/info/lfs");
  assert.is(largeFileServer("https://git.example.org/a/b.git/"), "https://git.example.org/a/b.git/info/lfs");
  assert.is(largeFileServer("http://u:p@git.example.org/b"), "http://u:p@git.example.org/b.git/info/lfs");
  assert.is(largeFileServer("ssh://git@git.example.org:2222/a/b.git"), "https://git.example.org/a/b.git/info/lfs");
  assert.is(largeFileServer("file:///srv/b"), undefined);
  assert.is(largeFileServer("file:///srv/b", "https://lfs.example.org/b/"), "https://lfs.example.org/b");
  for (const bad of ["file:///etc", "ssh://git@host/x", "/srv/lfs", "https://-x/", ""])
    assert.is(largeFileServer("https://git.example.org/a", bad), undefined);
});

test("batchQuestion() asks as the API of Git LFS says", () => {
  assert.equal(JSON.parse(batchQuestion([{ oid: OID, sizeBytes: 7 }])), {
    operation: "download",
    transfers: ["basic"],
    hash_algo: "sha256",
    objects: [{ oid: OID, size: 7 }],
  });
});

test("readBatchAnswer() finds places and reasons; git.lfs-answer", () => {
  const download = { href: "https://cdn.example.org/1", header: { Authorization: "RemoteAuth x", n: 7 } };
  const objects = [
    { oid: "a", size: 1, actions: { download } },
    { oid: "b", size: 1, error: { code: 404, message: "Object does not exist" } },
    { oid: "c", size: 1 },
    { oid: "d", size: 1, actions: { download: { href: "file:///etc/passwd" } } },
  ];
  assert.equal(
    [...readBatchAnswer(JSON.stringify({ transfer: "basic", objects }))],
    [
      ["a", { href: "https://cdn.example.org/1", headers: { authorization: "RemoteAuth x" } }],
      ["b", "Object does not exist (404)"],
      ["c", "the server does not say where it is"],
      ["d", "the server does not say where it is"],
    ],
  );
  for (const bad of ["", "null", "[]", "{}", '{"objects":[1]}', '{"objects":[{}]}', '{"transfer":"ssh","objects":[]}'])
    assert.throws(
      () => readBatchAnswer(bad),
      (error: { code: string }) => error.code === "git.lfs-answer",
      bad,
    );
});

test.run();

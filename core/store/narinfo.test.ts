import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, formatHash, fromUtf8, type Hash, sortedText, toBase32 } from "../base/index.ts";
import { formatContentAddress, formatNarInfo, type NarInfo, parseNarInfo, type StorePath } from "./index.ts";

// Nix 2.8: nix copy --to 'file://…?compression=none&secret-key=…'
const FROM_NIX = `StorePath: /nix/store/n9bvxn25p2lkkf6zgn0405p6h5k3jb30-tool-1.2
URL: nar/1dh1kcfnpcpa3afpnnbqhzgx5vd2pgjc1gka1fn6smiskysinnd8.nar
Compression: none
FileHash: sha256:1dh1kcfnpcpa3afpnnbqhzgx5vd2pgjc1gka1fn6smiskysinnd8
FileSize: 1872
NarHash: sha256:1dh1kcfnpcpa3afpnnbqhzgx5vd2pgjc1gka1fn6smiskysinnd8
NarSize: 1872
References: x5qbk3rdymh6vmm8gfx4kpmkcyzfsi7b-leaf yvkl0iifn3vrhvyay8fwrchfwnqp2k90-notes.txt
Deriver: 44p59q7fklbbc8zlbcfp241kmngc2kfl-tool-1.2.drv
Sig: test-cache.example.org-1:ssOm502XUYSBj8uye1VQSFNXY8gpmkOsioIgKvl06/d/YpGaINx0GsOBeYdKdYpRHpxnyp5+sKzCVOOg2/DgAA==
`;

const digest = fc.uint8Array({ minLength: 20, maxLength: 20 }).map(toBase32);
const path = fc
  .tuple(digest, fc.stringMatching(/^[A-Za-z0-9+_?=][A-Za-z0-9+._?=-]{0,20}$/))
  .map(([head, name]) => `/nix/store/${head}-${name}` as StorePath);
const sha256: fc.Arbitrary<Hash> = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => ({ algorithm: "sha256", digest: bytes }));
const line = fc.string({ minLength: 1, maxLength: 30, unit: "grapheme" }).filter((text) => !text.includes("\n"));
const contentAddress = fc
  .tuple(fc.constantFrom("text" as const, "flat" as const, "recursive" as const), sha256)
  .map(([method, hash]) => formatContentAddress({ method, hash }));
const narInfo: fc.Arbitrary<NarInfo> = fc
  .record(
    {
      path,
      url: line,
      compression: fc.constantFrom("none", "xz", "bzip2", "zstd", "br", "gzip"),
      fileHash: sha256,
      fileSize: fc.nat(),
      narHash: sha256,
      narSize: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      references: fc.uniqueArray(path, { maxLength: 5 }),
      deriver: path,
      signatures: fc.uniqueArray(line, { maxLength: 3 }),
      ca: contentAddress,
    },
    { requiredKeys: ["path", "url", "compression", "narHash", "narSize", "references", "signatures"] },
  )
  .map((info) => ({
    ...info,
    references: sortedText(info.references) as StorePath[],
    signatures: sortedText(info.signatures),
  }));

test("parseNarInfo() reads what Nix writes, and formatNarInfo() writes it", () => {
  const info = parseNarInfo(FROM_NIX);
  assert.is(info.path, "/nix/store/n9bvxn25p2lkkf6zgn0405p6h5k3jb30-tool-1.2");
  assert.is(info.deriver, "/nix/store/44p59q7fklbbc8zlbcfp241kmngc2kfl-tool-1.2.drv");
  assert.is(formatHash(info.narHash, "sri"), "sha256-qFkbtZ86Vm2sC2q+wOS7ou3S34d4WXudGuqyax2bAbY=");
  assert.equal([info.narSize, info.fileSize, info.compression, info.ca], [1872, 1872, "none", undefined]);
  assert.is(info.references.length, 2);
  assert.is(formatNarInfo(info), FROM_NIX);
});

test("parseNarInfo() reads what formatNarInfo() writes", () => {
  fc.assert(fc.property(narInfo, (info) => assert.equal(parseNarInfo(formatNarInfo(info)), info)));
});

test("formatNarInfo() writes what it read the same way", () => {
  fc.assert(
    fc.property(narInfo, (info) => {
      const text = formatNarInfo(info);
      assert.is(formatNarInfo(parseNarInfo(text)), text);
    }),
  );
});

test("parseNarInfo() reads lines in any order, and takes none for what others leave out", () => {
  const minimal = [
    "NarSize: 1",
    "Unknown: field",
    "NarHash: sha256-qFkbtZ86Vm2sC2q+wOS7ou3S34d4WXudGuqyax2bAbY=",
    "Deriver: unknown-deriver",
    "CA: ",
    "Sig: a:b",
    "Sig: a:b",
    "URL: nar/a: b.nar",
    "StorePath: /nix/store/n9bvxn25p2lkkf6zgn0405p6h5k3jb30-tool-1.2",
  ];
  const info = parseNarInfo(`${minimal.join("\n")}\n`);
  assert.equal([info.url, info.compression, info.references, info.signatures], ["nar/a: b.nar", "bzip2", [], ["a:b"]]);
  assert.equal([info.deriver, info.ca, info.fileHash, info.fileSize], [undefined, undefined, undefined, undefined]);
});

test("parseNarInfo() refuses what is incomplete, contradicts itself or leaves the store", () => {
  const without = (key: string): string => FROM_NIX.replace(new RegExp(`^${key}: .*\n`, "m"), "");
  const changed = (key: string, value: string): string => `${without(key)}${key}: ${value}\n`;
  for (const text of [
    "",
    FROM_NIX.trimEnd(),
    `${FROM_NIX}garbage\n`,
    `${FROM_NIX}\n`,
    FROM_NIX.replaceAll("\n", "\r\n"),
    without("StorePath"),
    without("URL"),
    without("NarHash"),
    without("NarSize"),
    changed("StorePath", "/gnu/store/n9bvxn25p2lkkf6zgn0405p6h5k3jb30-tool-1.2"),
    changed("NarSize", "0"),
    changed("NarSize", "12x"),
    changed("NarSize", "-5"),
    changed("NarSize", "1e3"),
    changed("NarSize", "99999999999999999999"),
    changed("FileSize", "many"),
    changed("NarHash", "1dh1kcfnpcpa3afpnnbqhzgx5vd2pgjc1gka1fn6smiskysinnd8"),
    changed("NarHash", "md5:d41d8cd98f00b204e9800998ecf8427e"),
    changed("FileHash", "sha256:zzz"),
    changed("References", "/nix/store/n9bvxn25p2lkkf6zgn0405p6h5k3jb30-tool-1.2"),
    changed("References", "../../etc/passwd"),
    `${FROM_NIX}References: x5qbk3rdymh6vmm8gfx4kpmkcyzfsi7b-leaf\n`,
    changed("Deriver", "/nix/store/n9bvxn25p2lkkf6zgn0405p6h5k3jb30-tool-1.2.drv"),
    changed("Deriver", ""),
    `${FROM_NIX}CA: foo:sha256:1fs8xspqaxw0p5r4wz0lz3pqd9sdvhirmcriqbxcmg8vr89835ya\n`,
    `${FROM_NIX}${"CA: fixed:sha256:1fs8xspqaxw0p5r4wz0lz3pqd9sdvhirmcriqbxcmg8vr89835ya\n".repeat(2)}`,
  ]) {
    assert.throws(
      () => parseNarInfo(text),
      (error: CodedError) => error.code === "narinfo.malformed",
      text,
    );
  }
});

test("parseNarInfo() ends for any bytes, with an object or a refusal", () => {
  const line = fc.oneof(
    fc.constantFrom(...FROM_NIX.split("\n")),
    fc
      .tuple(fc.constantFrom("StorePath", "URL", "NarHash", "NarSize", "References", "CA", "Sig"), fc.string())
      .map(([key, value]) => `${key}: ${value}`),
    fc.uint8Array({ maxLength: 20 }).map(fromUtf8),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
      try {
        parseNarInfo(lines.join("\n"));
      } catch (error) {
        assert.is((error as CodedError).code, "narinfo.malformed");
      }
    }),
    { numRuns: 500 },
  );
});

test("formatNarInfo() refuses values that would become lines of their own", () => {
  const info = parseNarInfo(FROM_NIX);
  for (const broken of [
    { ...info, url: "nar/x\nSig: a:b" },
    { ...info, signatures: ["a:b\nCA: x"] },
    { ...info, url: "" },
    { ...info, narSize: 0 },
  ]) {
    assert.throws(
      () => formatNarInfo(broken),
      (error: CodedError) => error.code === "narinfo.malformed",
    );
  }
});

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import { fromUtf8, utf8 } from "../base/index.ts";
import { parseAr } from "./ar.ts";

// Made with GNU ar 2.40: printf abc > odd; printf abcd > even; ar rcD t.a odd even
const header = (name: string, size: number): string =>
  `${name.padEnd(16)}${"0".padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"644".padEnd(8)}${String(size).padEnd(10)}\`\n`;
const archive = `!<arch>\n${header("odd/", 3)}abc\n${header("even/", 4)}abcd`;

test("parseAr() gives the members", () => {
  assert.equal(
    parseAr(utf8(archive)).map(({ name, bytes }) => [name, fromUtf8(bytes)]),
    [
      ["odd", "abc"],
      ["even", "abcd"],
    ],
  );
});

test("parseAr() refuses what is no archive or ends too early", () => {
  for (const text of ["", "hello", archive.slice(0, -1), archive.slice(0, 40), archive.replace("`", "'")]) {
    assert.throws(
      () => parseAr(utf8(text)),
      (error: { code?: string }) => error.code === "fetch.bad-archive",
    );
  }
});

test.run();

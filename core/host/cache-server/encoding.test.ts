import { test } from "uvu";
import * as assert from "uvu/assert";
import { chooseEncoding } from "./encoding.ts";

test("chooseEncoding() takes what is preferred of what we have, and nothing that was not asked for", () => {
  for (const [header, expected] of [
    [undefined, undefined],
    ["", undefined],
    ["identity", undefined],
    ["gzip", "gzip"],
    ["GZIP", "gzip"],
    // As curl of Nix asks.
    ["deflate, gzip, br, zstd", "zstd"],
    ["gzip, br", "br"],
    ["gzip;q=1.0, br;q=0.5", "gzip"],
    ["gzip;q=0", undefined],
    ["*", "zstd"],
    ["*;q=0.1, gzip;q=0.2", "gzip"],
    ["zstd;q=0, *", "br"],
    ["identity;q=1, gzip;q=0.5", undefined],
    ["deflate, compress", undefined],
    ["gzip;q=2, \u0000, ;;", undefined],
  ] as const)
    assert.is(chooseEncoding(header, 1000), expected, header);
});

test("chooseEncoding() leaves what is short as it is", () => {
  assert.is(chooseEncoding("gzip", 100), undefined);
});

test.run();

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { StorePath } from "../../store/index.ts";
import { makeRoom } from "./outputs.ts";

test("makeRoom() takes away what is not valid, and refuses to have a valid output overwritten", () => {
  const folder = mkdtempSync(join(tmpdir(), "floe-room-"));
  try {
    const [out, dev] = ["0", "1"].map((digit) => `/nix/store/${digit.repeat(32)}-x` as StorePath) as [
      StorePath,
      StorePath,
    ];
    const place = (path: string): string => join(folder, path.slice("/nix/store/".length));
    for (const path of [out, dev]) writeFileSync(place(path), "left");
    assert.throws(
      () => makeRoom("x", [out, dev], new Set([dev]), place),
      (error: { code: string; message: string }) =>
        error.code === "build.would-overwrite" && error.message.endsWith(`would overwrite ${out}`),
    );
    assert.ok(existsSync(place(dev)), "it looks before it takes away");
    makeRoom("x", [out, dev], new Set([out, dev]), place);
    assert.equal([existsSync(place(out)), existsSync(place(dev))], [false, false]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findEngine } from "./engine.ts";

test("findEngine() is this checkout, and an error for a program that lies in none", async () => {
  assert.is(findEngine(), join(import.meta.dirname, "../../.."));
  const folder = mkdtempSync(join(tmpdir(), "floe-engine-"));
  try {
    const outfile = join(folder, "engine.mjs");
    const entryPoints = [join(import.meta.dirname, "engine.ts")];
    await build({ entryPoints, outfile, bundle: true, platform: "node", format: "esm" });
    const alone = (await import(pathToFileURL(outfile).href)) as { findEngine(): string };
    assert.throws(
      () => alone.findEngine(),
      (error: { code: string; message: string }) =>
        error.code === "evaluation.no-engine" && error.message.includes(`no folder above "${folder}"`),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();

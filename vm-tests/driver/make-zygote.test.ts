import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOverlay, spinningRom } from "qemu-wrapper";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HAS_QEMU } from "../qemu-wrapper/testing.ts";
import { Boot } from "./boot.ts";
import { makeZygote } from "./make-zygote.ts";
import { ownQemus } from "./testing-qemus.ts";

const withQemu = HAS_QEMU ? test : test.skip;
const root = mkdtempSync(join(tmpdir(), "floe-mz-"));
test.after(() => rmSync(root, { recursive: true, force: true }));

withQemu("makeZygote() leaves nothing when nobody wants it before its guest answers", async () => {
  const [template, temporary] = [join(root, "template"), join(root, "tmp")];
  for (const folder of [template, temporary]) mkdirSync(folder);
  for (const name of ["console.txt", "journal.txt"]) writeFileSync(join(template, name), "");
  writeFileSync(join(root, "image"), Buffer.alloc(1 << 16));
  writeFileSync(join(root, "firmware"), spinningRom());
  createOverlay({ backing: join(root, "image"), backingFormat: "raw", file: join(template, "root.qcow2") });
  process.env["TMPDIR"] = temporary;
  let released = 0;
  const unwanted = new AbortController();
  const error = await makeZygote({
    template: {
      key: "k",
      folder: template,
      facts: { machine: "m", architecture: "x86_64", accelerator: "tcg" },
      release: () => void released++,
    },
    method: "whole-state",
    nics: [{ id: "lan", mac: "52:54:00:00:00:01", backend: { kind: "stream", socket: "/elsewhere" } }],
    disks: {
      manifest: { rootImage: join(root, "image"), storeImage: join(root, "image") },
      realPath: (path) => path,
      folder: root,
    },
    // A guest that never answers, in place of one that goes on.
    start: async ({ folder = "", socketFolder = "", keep = (write) => write(), nics = [] }) => {
      const boot = await Boot.start({
        ...{ name: "machine", architecture: "x86_64", accelerator: "tcg", memoryMiB: 16, cpus: 1, number: 1 },
        ...{ disks: [], nics, folder, socketFolder, keep, firmware: join(root, "firmware") },
      });
      assert.is(ownQemus().length, 1);
      setTimeout(() => unwanted.abort(new Error("the run is over")), 10);
      return boot;
    },
    signal: unwanted.signal,
  }).catch((caught) => caught);
  assert.is(error.message, "the run is over");
  assert.is(released, 1);
  assert.equal(ownQemus(), []);
  assert.equal(readdirSync(temporary), []);
});

test.run();

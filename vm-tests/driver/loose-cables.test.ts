import { once } from "node:events";
import { connect } from "node:net";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Nic } from "qemu-wrapper";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { looseCables } from "./loose-cables.ts";

const root = mkdtempSync(join(tmpdir(), "floe-cables-test-"));
test.after(() => rmSync(root, { recursive: true }));

const nics = ["lan", "wan"].map(
  (id): Nic => ({ id, mac: "52:54:00:00:00:01", backend: { kind: "stream", socket: `/elsewhere/${id}` } }),
);

test("looseCables() gives cards cables of their own, which end with it", async () => {
  const folder = mkdtempSync(join(root, "f-"));
  const { nics: loose, close } = await looseCables(nics, folder);
  assert.equal(
    loose.map(({ id, backend }) => [id, backend.kind === "stream" && backend.socket]),
    [
      ["lan", join(folder, "cable-0.sock")],
      ["wan", join(folder, "cable-1.sock")],
    ],
  );
  const card = connect(join(folder, "cable-1.sock"));
  await once(card, "connect");
  const ended = new Promise((resolve) => card.on("error", () => {}).on("close", resolve));
  card.write("what a machine sends");
  close();
  await ended;
  assert.equal(readdirSync(folder), []);
});

test("looseCables() leaves none when one cannot be made", async () => {
  const folder = mkdtempSync(join(root, "f-"));
  writeFileSync(join(folder, "cable-1.sock"), "");
  const error = await looseCables(nics, folder).catch((caught) => caught);
  assert.is(error.code, "EADDRINUSE");
  assert.equal(readdirSync(folder), ["cable-1.sock"]);
});

test.run();

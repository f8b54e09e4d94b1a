import { spawnSync } from "node:child_process";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { makeFolder } from "../../core/host/evaluator/testing.ts";
import { findProgram } from "../../core/host/process/index.ts";
import { runFloe, temporaryDirectory } from "./testing.ts";

// What these libraries are to the program is seen in the bundle alone: they are of Node's older kind of modules, and how one is taken there is up to the bundler.

const folder = temporaryDirectory();
writeFileSync(`${folder}/greeting`, "hello\n");
const nar = await floe("nar", "dump", `${folder}/greeting`);
const { stdout: packed, status } = spawnSync("xz", ["-c"], { input: nar });
const testPacked = status === 0 ? test : test.skip;

const server = createServer((_request, response) => void response.end(packed));
await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
server.unref();

/** Run what has to succeed, and take what it prints. */
async function floe(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await runFloe(words);
  assert.is(code, 0, stderr);
  return stdout;
}

testPacked("floe builds what is fetched as an archive that xz has packed", async () => {
  const hash = (await floe("hash", "path", `${folder}/greeting`)).trim();
  const { port } = server.address() as AddressInfo;
  const flake = makeFolder({
    "flake.config.ts": `
      import { derivation } from "#floe/derivation";
      import { defineFlake } from "#floe/flake";
      const greeting = derivation({
        name: "greeting",
        system: "builtin",
        builder: "builtin:fetchurl",
        fixed: { method: "recursive", hash: "${hash}" },
        env: { url: "http://127.0.0.1:${port}/greeting.nar.xz", unpack: true },
      });
      export default defineFlake({ outputs: () => ({ packages: { "x86_64-linux": { default: greeting } } }) });
    `,
  });
  const root = temporaryDirectory();
  const path = (await floe("build", flake, "--no-link", "--print-out-paths", "--store", root)).trim();
  assert.is(readFileSync(`${root}${path}`, "utf8"), "hello\n");
});

testPacked("floe takes from a cache what xz has packed, where no such program is installed", async () => {
  const [root, other] = [temporaryDirectory(), temporaryDirectory()];
  const path = (await floe("store", "add", `${folder}/greeting`, "--store", root)).trim();
  const cache = `file://${folder}/cache?compression=xz`;
  await floe("copy", "--to", cache, path, "--store", root);
  const words = ["copy", "--from", cache, "--no-check-sigs", path, "--store", other];
  const programs = temporaryDirectory();
  symlinkSync(findProgram("flock") ?? "", `${programs}/flock`);
  const { code, stderr } = await runFloe(words, { env: { PATH: programs } });
  assert.is(code, 0, stderr);
  assert.is(readFileSync(`${other}${path}`, "utf8"), "hello\n");
});

test.run();

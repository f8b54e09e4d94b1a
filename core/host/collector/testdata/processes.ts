import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { bundlePrograms } from "../../../../tools/cli/bundle-program.ts";
import { storePathBaseName } from "../../../store/index.ts";
import { hashTree } from "../../files/index.ts";
import type { LocalStore } from "../../local-store/index.ts";

const folder = mkdtempSync(join(tmpdir(), "floe-collector-programs-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
// One file each, since they start often: most of their time would go into reading a hundred.
await bundlePrograms(
  ["collector", "importer"].map((name) => join(import.meta.dirname, `${name}.ts`)),
  folder,
);

/** Run one of the programs beside this file. */
export function start(name: "collector" | "importer", ...words: string[]) {
  const child = spawn(process.execPath, [join(folder, `${name}.mjs`), ...words], {
    env: { ...process.env, NODE_COMPILE_CACHE: join(folder, "compiled") },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { text: "" };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output.text += text;
    });
  }
  const ended = new Promise<{ status: number | null; text: string }>((resolve) =>
    child.on("close", (status) => resolve({ status, text: output.text })),
  );
  return { child, output, ended };
}

export interface CheckStoreOptions {
  /** Whether other things may be in the store directory. */
  readonly leftovers: boolean;
  /** Whether to hash what the objects hold. */
  readonly contents: boolean;
}

/** Every valid object is there, with all it refers to. */
export async function checkStore(store: LocalStore, { leftovers, contents }: CheckStoreOptions): Promise<void> {
  const valid = store.allPaths();
  for (const path of valid) {
    const info = store.queryPathInfo(path);
    assert.ok(existsSync(store.realPath(path)), `${path} is valid but not there`);
    if (!contents) continue;
    assert.equal((await hashTree(store.realPath(path))).narHash, info?.narHash, path);
  }
  store.closure(valid);
  if (leftovers) return;
  const names = readdirSync(store.realStoreDirectory).filter((name) => name !== ".links");
  assert.equal(names.sort(), valid.map(storePathBaseName).sort());
}

import { existsSync, mkdirSync, rmSync } from "node:fs";
import * as assert from "uvu/assert";
import { defaultStoreRoot } from "../../../core/host/local-store/index.ts";
import { type CliResult, runFloe, temporaryDirectory } from "../../cli/testing.ts";

/** For tests: a store upon the user's own, which is only read; what is built goes away at the end. */
export interface Foundation {
  /** Run `floe` over that store. */
  floe(cwd: string, ...words: string[]): Promise<CliResult>;
  /** Run what has to succeed, and take what it prints. */
  ok(cwd: string, ...words: string[]): Promise<string>;
  /** Where a path of the store is on this machine, in the upper layer or below. */
  place(path: string): string;
  /** A new folder. */
  folder(): string;
  close(): void;
}

export function openFoundation(): Foundation {
  const root = temporaryDirectory();
  const upper = `${root}/upper`;
  mkdirSync(upper);
  const lower = defaultStoreRoot();
  const store = `local-overlay://?root=${root}&upper-layer=${upper}&lower-store=${lower}`;
  // Its own records and settings, so that each evaluation is one.
  const env = { XDG_CACHE_HOME: `${root}/cache`, XDG_CONFIG_HOME: `${root}/config` };
  // What follows `--` is for a program.
  const floe = (cwd: string, ...words: string[]): Promise<CliResult> =>
    runFloe([...words, "--store", store], { cwd, env });
  let count = 0;
  return {
    floe,
    async ok(cwd, ...words) {
      const { code, stdout, stderr } = await floe(cwd, ...words);
      assert.is(code, 0, stderr);
      return stdout;
    },
    place(path) {
      const above = path.replace(/^\/nix\/store/, upper);
      return existsSync(above) ? above : `${lower === "/" ? "" : lower}${path}`;
    },
    folder() {
      count += 1;
      const folder = `${root}/flake${count}`;
      mkdirSync(folder);
      return folder;
    },
    close: () => rmSync(root, { recursive: true, force: true }),
  };
}

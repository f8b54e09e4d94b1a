import { existsSync, writeFileSync } from "node:fs";
import * as assert from "uvu/assert";
import { serveRepositories, TestRepository } from "../../core/host/git/testing.ts";
import { readCheckedLock } from "../../core/host/flake/testing.ts";
import { type CliResult, runFloe, temporaryDirectory } from "./testing.ts";

/** For tests: flakes that take in repositories of a server on the loopback, with a store and settings of their own. */
export interface InputsWorld {
  /** Address of the server, with a final slash. */
  readonly url: string;
  /** A folder for whatever a test needs; settings lie in its `config`. */
  readonly root: string;
  /** A new repository, and the reference that means it. */
  repository(name: string): { readonly repository: TestRepository; readonly url: string };
  /** Run `floe` without choosing a store. */
  floe(cwd: string, ...words: string[]): Promise<CliResult>;
  run(cwd: string, ...words: string[]): Promise<CliResult>;
  /** Run what has to succeed, and take what it prints. */
  ok(cwd: string, ...words: string[]): Promise<string>;
  close(): Promise<void>;
}

export async function openInputsWorld(): Promise<InputsWorld> {
  const root = temporaryDirectory();
  const store = temporaryDirectory();
  const server = await serveRepositories(`${root}/served`);
  const env = { XDG_CACHE_HOME: `${root}/cache`, XDG_CONFIG_HOME: `${root}/config` };
  let count = 0;
  const floe = async (cwd: string, ...words: string[]): Promise<CliResult> => {
    const result = await runFloe(words, { cwd, env });
    if (existsSync(`${cwd}/lock.json`)) readCheckedLock(`${cwd}/lock.json`);
    return result;
  };
  const run = (cwd: string, ...words: string[]): Promise<CliResult> => floe(cwd, ...words, "--store", store);
  return {
    url: server.url,
    root,
    repository(name) {
      count += 1;
      return {
        repository: new TestRepository(`${root}/served/${name}${count}`),
        url: `git+${server.url}${name}${count}`,
      };
    },
    floe,
    run,
    async ok(cwd, ...words) {
      const { code, stdout, stderr } = await run(cwd, ...words);
      assert.is(code, 0, stderr);
      return stdout;
    },
    close: () => server.close(),
  };
}

/** The text of a `flake.config.ts`. */
export function configText(inputs: string, outputs: string): string {
  return `import { defineFlake } from "#floe/flake";\nexport default defineFlake({\n  inputs: ${inputs},\n  outputs: ({ inputs }) => (${outputs}),\n});\n`;
}

/** A folder with such a flake. */
export function flakeWith(inputs: string, outputs = "{}"): string {
  const folder = temporaryDirectory();
  writeFileSync(`${folder}/flake.config.ts`, configText(inputs, outputs));
  return folder;
}

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findCompiler } from "../../../../core/host/types/index.ts";
import { runFloe, temporaryDirectory } from "../../testing.ts";

const FLAKE = `import { defineFlake } from "#floe/flake";
export default defineFlake({
  inputs: { lib: "path:./lib", pages: { url: "path:./pages", flake: false } },
  outputs: ({ inputs, self }) => ({ port: inputs.lib.port, own: \`\${self}\`, lib: \`\${inputs.lib}\`, pages: \`\${inputs.pages}\` }),
});
`;
const LIB = `import { defineFlake } from "#floe/flake";
export default defineFlake({ outputs: () => ({ port: 80 }) });
`;

function makeFlake(): { cwd: string; run: (...words: string[]) => Promise<string> } {
  const cwd = temporaryDirectory();
  for (const name of ["lib", "pages"]) mkdirSync(`${cwd}/${name}`);
  writeFileSync(`${cwd}/pages/index.html`, "one");
  writeFileSync(`${cwd}/lib/flake.config.ts`, LIB);
  writeFileSync(`${cwd}/flake.config.ts`, FLAKE);
  writeFileSync(`${cwd}/tsconfig.json`, '{ "extends": "./.floe/tsconfig.json" }\n');
  const store = temporaryDirectory();
  const run = async (...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runFloe([...words, "--store", store], {
      cwd,
      env: { XDG_CACHE_HOME: store },
    });
    assert.is(code, 0, stderr);
    return stdout;
  };
  return { cwd, run };
}

/** What `tsc` says of a flake. */
function check(cwd: string): string {
  try {
    return execFileSync(findCompiler().program, ["--noEmit", "--pretty", "false"], { cwd, encoding: "utf8" });
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

test("floe flake types gives the inputs of a flake their types, and floe flake update keeps them up", async () => {
  const { cwd, run } = makeFlake();
  assert.equal(JSON.parse(await run("flake", "types", "--json")), {
    settings: `${cwd}/.floe/tsconfig.json`,
    inputs: [],
  });
  assert.is(check(cwd), "");
  writeFileSync(`${cwd}/flake.config.ts`, FLAKE.replace("lib.port", "lib.prot"));
  assert.match(check(cwd), /^flake\.config\.ts\(4,\d+\): error TS\d+: Property 'prot' does not exist/);
  writeFileSync(`${cwd}/lib/flake.config.ts`, LIB.replace("port:", "prot:"));
  await run("flake", "update", "lib");
  assert.is(check(cwd), "");
});

test("the types of a flake are part of no source, in a repository or outside of one", async () => {
  const { cwd, run } = makeFlake();
  const sources = async (): Promise<string> =>
    (await Promise.all(["own", "lib"].map((name) => run("eval", `.#${name}`)))).join();
  await run("flake", "lock");
  const before = await sources();
  await run("flake", "types");
  assert.ok(existsSync(`${cwd}/.floe/types/floe-inputs/index.d.ts`));
  assert.is(await sources(), before);
  // A folder that is an input has its types beside it, too.
  execFileSync("cp", ["-r", `${cwd}/.floe`, `${cwd}/lib/.floe`]);
  const lock = readFileSync(`${cwd}/lock.json`, "utf8");
  await run("flake", "update");
  assert.is(readFileSync(`${cwd}/lock.json`, "utf8"), lock);
  rmSync(`${cwd}/lib/.floe`, { recursive: true });
  const git = (...words: string[]): unknown =>
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b", ...words], { cwd });
  git("init", "--quiet");
  git("add", "--all");
  git("commit", "--quiet", "--message", "all");
  const known = execFileSync("git", ["ls-files"], { cwd, encoding: "utf8" });
  assert.not.match(known, ".floe");
  assert.is(await sources(), before);
});

test.run();

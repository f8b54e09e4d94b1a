import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findEngine } from "../../core/host/evaluator/index.ts";
import { makeFolder } from "../../core/host/evaluator/testing.ts";
import { temporaryDirectory } from "./testing.ts";

interface LockedPackage {
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly link?: boolean;
  /** Of a link: the folder it leads to. */
  readonly resolved?: string;
}

/** Floe as `npm ci --omit=dev` leaves it: its sources, and of the packages those that are not for its development alone. */
function install(): string {
  const engine = findEngine();
  const root = join(temporaryDirectory(), "floe");
  const isWanted = (source: string): boolean => !/\/(node_modules|\.git|dist|testdata)$|\.test\.ts$/.test(source);
  for (const part of ["core", "modules", "pkgs", "tools", "vm-tests", "package.json"])
    cpSync(join(engine, part), join(root, part), { recursive: true, filter: isWanted });
  const { packages } = JSON.parse(readFileSync(join(engine, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, LockedPackage>>;
  };
  for (const [place, { dev = false, devOptional = false, link = false, resolved }] of Object.entries(packages)) {
    const isNested = place.lastIndexOf("node_modules/") > 0;
    if (!place.startsWith("node_modules/") || isNested || dev || devOptional || !existsSync(join(engine, place)))
      continue;
    mkdirSync(dirname(join(root, place)), { recursive: true });
    symlinkSync(join(link ? root : engine, link ? (resolved as string) : place), join(root, place));
  }
  mkdirSync(join(root, "node_modules/.bin"));
  symlinkSync(`../node-linux-${process.arch}/bin/node`, join(root, "node_modules/.bin/node"));
  return root;
}

test("Floe with the packages it needs to run, and no others, checks the types of a flake and writes them", () => {
  const floe = join(install(), "tools/cli/floe");
  assert.not.ok(existsSync(join(floe, "../../../node_modules/esbuild")));
  const flake = makeFolder({
    "flake.config.ts":
      'import { defineFlake } from "#floe/flake";\nconst port: string = 80;\nexport default defineFlake({ outputs: () => ({ port }) });\n',
  });
  const run = (...words: string[]) => {
    const home = temporaryDirectory();
    const env = { HOME: home, PATH: "/usr/bin:/bin", NO_COLOR: "1" };
    return spawnSync(floe, [...words, "--store", `${home}/store`], { cwd: flake, encoding: "utf8", env });
  };
  const checked = run("flake", "check");
  assert.is(checked.status, 1, checked.stderr);
  assert.match(checked.stderr, /^flake\.config\.ts:2:7: error: .*not assignable to type 'string'/m);
  const written = run("flake", "types");
  assert.is(written.status, 0, written.stderr);
  assert.ok(existsSync(`${flake}/.floe/tsconfig.json`));
});

test.run();

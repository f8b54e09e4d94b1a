import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { beginEvaluation, parseDerivation } from "../core/derivation/index.ts";
import { makeSourceHost } from "../core/host/files/source-host.ts";
import type { Package, Pkgs } from "../core/package/index.ts";
import { type StorePath, storePathName } from "../core/store/index.ts";
import { makePkgs } from "./index.ts";

/** What machines are made of. */
const SHIPPED = [
  "bash",
  "coreutils",
  "dbus",
  "glibc",
  "gcclib",
  "iproute2",
  "kmod",
  "libcap",
  "libxcrypt",
  "linux",
  "nginx",
  "nodejs",
  "systemd",
  "util-linux",
  "zlib",
];

const PLATFORMS = ["x86_64-linux", "aarch64-linux"];

function begin(platform = "x86_64-linux"): { pkgs: Pkgs; evaluation: ReturnType<typeof beginEvaluation> } {
  const evaluation = beginEvaluation(makeSourceHost());
  return { pkgs: makePkgs({ platform }), evaluation };
}

const member = (pkgs: Pkgs, name: string): Package => (pkgs as unknown as Record<string, Package>)[name] as Package;

for (const platform of PLATFORMS)
  test(`every package of ${platform} has a derivation and a description`, () => {
    const { pkgs } = begin(platform);
    for (const name of Object.keys(pkgs)) {
      const one = member(pkgs, name);
      assert.is(one.name, name);
      assert.match(one.drvPath, /^\/nix\/store\/[0-9a-z]{32}-.*\.drv$/, name);
      assert.ok(one.meta.summary.length > 0, name);
    }
  });

for (const platform of PLATFORMS)
  test(`every package of ${platform} that ships forbids the seed in its closure`, () => {
    const { pkgs, evaluation } = begin(platform);
    for (const name of SHIPPED) {
      const { drvPath } = member(pkgs, name);
      const drv = parseDerivation(evaluation.derivations.get(drvPath) as string, "x");
      // glibc's and the compiler's own libraries are forbidden less, being made of the seed; never the seed itself.
      assert.ok(drv.env["disallowedRequisites"]?.split(" ").includes(`${member(pkgs, "seed")}`), name);
    }
  });

for (const platform of PLATFORMS)
  test(`what is downloaded for ${platform} is pinned, and named by mirror`, () => {
    const { pkgs, evaluation } = begin(platform);
    for (const name of Object.keys(pkgs)) void member(pkgs, name).drvPath;
    for (const [path, text] of evaluation.derivations) {
      const drv = parseDerivation(text, storePathName(path as StorePath));
      if (!drv.builder.startsWith("builtin:")) continue;
      assert.match(drv.env["url"] ?? "", /^mirror:\/\/(debian|npm)\//, path);
      assert.match(drv.env["outputHash"] ?? "", /^sha(256|512)-/, path);
    }
  });

/** Files and symlink targets of a store object, with what makes a reference. */
function* contents(path: string): Iterable<[file: string, text: string]> {
  const stat = lstatSync(path);
  if (stat.isSymbolicLink()) yield [path, readlinkSync(path)];
  else if (stat.isDirectory()) for (const entry of readdirSync(path)) yield* contents(join(path, entry));
  else yield [path, readFileSync(path, "latin1")];
}

for (const platform of PLATFORMS)
  test(`no package of ${platform} that was built here knows the build directory, the seed or the host's libraries`, () => {
    const { pkgs } = begin(platform);
    const seed = member(pkgs, "seed").outPath.slice(11, 43);
    for (const name of ["bash", "coreutils", "zlib", "kmod", "nginx", "iproute2"]) {
      const { outPath } = member(pkgs, name);
      if (!existsSync(outPath)) continue;
      for (const [file, text] of contents(outPath)) {
        assert.not(text.includes(seed), `${file} names the seed`);
        assert.not(/\/build\/(source|build|destination)\b/.test(text), `${file} names the build directory`);
        assert.not(
          /\/lib(64)?\/((x86_64|aarch64)-linux-gnu|ld-linux)/.test(text.replaceAll(/\/nix\/store\/[^\0\s]*/g, "")),
          `${file} names the host's libraries`,
        );
      }
    }
  });

test.run();

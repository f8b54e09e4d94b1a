import { test } from "uvu";
import * as assert from "uvu/assert";
import { CodedError } from "../base/index.ts";
import { getPlatform, isPackage, makePackage } from "./index.ts";
import { beginTinyEvaluation, tiny } from "./testdata/tiny-set.ts";

test.before.each(() => {
  beginTinyEvaluation();
});

function errorOf(run: () => unknown): CodedError {
  try {
    run();
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
  throw new Error("expected an error");
}

test("makePackage() instantiates nothing before a path is asked for", () => {
  const evaluation = beginTinyEvaluation();
  const tool = tiny({ name: "tool" });
  assert.is(evaluation.derivations.size, 0);
  assert.match(tool.drvPath, /-tool-1\.0\.drv$/);
  assert.is(evaluation.derivations.size, 1);
  assert.is(String(tool), tool.outPath);
});

test("makePackage() checks the descriptive fields and lists every fault", () => {
  const broken = {
    name: "tool",
    version: "1",
    summary: "A tool.",
    homepage: "example",
    license: "GPL3",
    platforms: ["x86-linux"],
    mainProgram: "bin/tool",
  };
  const error = errorOf(() =>
    makePackage({ attributes: broken, derive: () => ({ name: "tool", system: "x", builder: "b" }) }),
  );
  assert.is(error.code, "package.meta");
  assert.is(error.details?.length, 5);
  assert.match(error.at?.file ?? "", /package\.test\.ts$/);
});

test("a licence is an SPDX expression", () => {
  const license = (text: string): string => {
    try {
      return tiny({ name: "tool", license: text }).meta.license;
    } catch (error) {
      return (error as CodedError).hint ?? (error as CodedError).code;
    }
  };
  for (const good of ["MIT", "MIT OR Apache-2.0", "GPL-2.0-only WITH Linux-syscall-note", "(MIT AND ISC) OR Zlib"])
    assert.is(license(good), good);
  assert.is(license("Apache-2.1"), 'Did you mean "Apache-2.0"?');
  assert.is(license("MIT Apache-2.0"), "package.meta");
  assert.is(license("MIT OR"), "package.meta");
});

test("overrideAttrs() composes, and final sees the attributes after all changes", () => {
  const tool = tiny({ name: "tool" })
    .overrideAttrs((final) => ({ flags: [`--version=${final.version}`] }))
    .overrideAttrs((_, previous) => ({ version: `${previous.version}.1`, flags: [...previous.flags, "--more"] }));
  const evaluation = beginTinyEvaluation();
  assert.is(tool.version, "1.0.1");
  assert.match(evaluation.derivations.get(tool.drvPath) ?? "", /"--version=1\.0\.1 --more"/);
});

test("overrideAttrs() that feeds itself never settles", () => {
  const error = errorOf(() => tiny({ name: "tool" }).overrideAttrs((final) => ({ version: `${final.version}.1` })));
  assert.is(error.code, "package.unsettled");
  assert.match(error.hint ?? "", /previous/);
});

test("overrideAttrs() leaves the package it changes alone", () => {
  const tool = tiny({ name: "tool" });
  const path = tool.outPath;
  assert.is.not(tool.overrideAttrs(() => ({ flags: ["-x"] })).outPath, path);
  assert.is(tool.outPath, path);
});

test("isPackage() tells packages from other values", () => {
  assert.ok(isPackage(tiny({ name: "tool" })));
  assert.not(isPackage({ kind: "overlay" }));
  assert.not(isPackage(null));
});

test("getPlatform() knows the names configure and the kernel use", () => {
  assert.is(getPlatform("aarch64-linux").kernelArchitecture, "arm64");
  assert.is(errorOf(() => getPlatform("riscv64-linux")).code, "platform.unknown");
});

test.run();

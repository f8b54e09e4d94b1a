import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../base/index.ts";
import { mergeBuildSettings, parseBuildSettings } from "./build-settings.ts";

test("parseBuildSettings() reads hooks, isolation and limits, and nothing else", () => {
  const text = `{"postBuildHook":"/a","asyncPostBuildHook":true,"diffHook":"","sandbox":"relaxed","allowNewPrivileges":true,"impureDerivations":false,"maxProcessMemory":"2G","maxMemory":7,"memoryBudget":"3G","mirrors":{}}`;
  assert.equal(parseBuildSettings(text, "test"), {
    postBuildHook: "/a",
    asyncPostBuildHook: true,
    diffHook: "",
    sandbox: "relaxed",
    allowNewPrivileges: true,
    impureDerivations: false,
    maxProcessMemoryBytes: 2 ** 31,
    maxMemoryBytes: 7,
    memoryBudgetBytes: 3 * 2 ** 30,
  });
});

test("parseBuildSettings() refuses other shapes", () => {
  const values = [
    `"postBuildHook":"upload"`,
    `"asyncPostBuildHook":"yes"`,
    `"diffHook":1`,
    `"sandbox":"strict"`,
    `"allowNewPrivileges":"no"`,
    `"impureDerivations":1`,
    `"maxProcessMemory":"much"`,
    `"maxMemory":true`,
    `"memoryBudget":"all"`,
  ];
  for (const text of ["", "[]", ...values.map((value) => `{${value}}`)])
    assert.throws(
      () => parseBuildSettings(text, "test"),
      (error: CodedError) => error.code === "build.settings-malformed",
    );
});

test("mergeBuildSettings() takes the first word on each setting", () => {
  const merged = mergeBuildSettings([
    parseBuildSettings(`{"postBuildHook":"","sandbox":true}`, "own"),
    parseBuildSettings(`{"postBuildHook":"/machine","sandbox":false,"diffHook":"/diff"}`, "machine"),
  ]);
  assert.equal([merged.postBuildHook, merged.sandbox, merged.diffHook], ["", true, "/diff"]);
});

test.run();

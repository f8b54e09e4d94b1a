import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CodedError } from "../../core/base/index.ts";
import { exitCodeOf, showError } from "./errors.ts";

const look = { cwd: "/home/user/house", color: false };

test("showError() begins with the user's place, relative to where the command runs", () => {
  const error = new CodedError("option.unknown", 'Cannot set option "prot": there is no such option', {
    at: { file: "/home/user/house/flake.config.ts", line: 12, column: 7 },
    hint: 'Did you mean "port"?',
    details: ["declared in modules/nginx.ts:3:1"],
  });
  assert.is(
    showError(error, look),
    [
      'flake.config.ts:12:7: error: Cannot set option "prot": there is no such option [option.unknown]',
      "  declared in modules/nginx.ts:3:1",
      '  hint: Did you mean "port"?',
    ].join("\n"),
  );
});

test("showError() shows the failure below", () => {
  const error = new CodedError("a.b", 'Cannot read "x": it is damaged', {
    cause: new CodedError("c.d", "Cannot open it"),
  });
  assert.is(showError(error, look), 'error: Cannot read "x": it is damaged [a.b]\n  because: Cannot open it');
});

test("showError() knows an error of another copy of core/base", () => {
  const error = Object.assign(new Error("Cannot boot"), { name: "CodedError", code: "vm.no-boot", exitCode: 3 });
  assert.is(showError(error, look), "error: Cannot boot [vm.no-boot]");
  assert.is(exitCodeOf(error), 3);
});

test("showError() takes control characters and credentials out of text from outside", () => {
  const error = new CodedError("fetch.failed", "Cannot fetch https://me:secret@host/x: \x1b[31mred\x07");
  assert.is(showError(error, look), "error: Cannot fetch https://host/x: red [fetch.failed]");
});

test("showError() explains a full disk", () => {
  const error = Object.assign(new Error("ENOSPC: no space left on device, write"), {
    code: "ENOSPC",
    syscall: "write",
  });
  const text = showError(error, look);
  assert.is(text.split("\n")[0], "error: Cannot write: no space is left on the device [disk.full]");
  assert.match(text, "df -h");
  assert.is(exitCodeOf(error), 1);
});

test("showError() explains what SQLite says of a device", () => {
  const codes = { 13: "disk.full", 10: "disk.io-error", 1034: "disk.io-error", 4874: "disk.full", 8: "file.read-only" };
  for (const [errcode, code] of Object.entries(codes)) {
    const error = Object.assign(new Error("disk I/O error"), { errcode: Number(errcode) });
    assert.match(showError(error, look).split("\n")[0] ?? "", `[${code}]`);
  }
});

test("showError() explains a damaged database", () => {
  for (const errcode of [11, 26, 11 | (1 << 8)]) {
    const error = Object.assign(new Error("database disk image is malformed"), { errcode });
    const text = showError(error, look);
    assert.match(
      text,
      "Cannot use the database of the store: database disk image is malformed [store.database-damaged]",
    );
    assert.match(text, "`floe store recover`");
  }
});

test("showError() explains a missing file, by name", () => {
  let caught: unknown;
  try {
    readFileSync("/home/user/nothing-here");
  } catch (error) {
    caught = error;
  }
  assert.is(showError(caught, look), 'error: Cannot open "/home/user/nothing-here": it does not exist [file.missing]');
});

test("showError() says that an unexpected exception is a fault in Floe, with a short stack", () => {
  const text = showError(new TypeError("x is not a function"), look);
  assert.match(text, /^error: Floe met a fault of its own: TypeError: x is not a function \[floe\.fault\]\n {2}at /);
  assert.ok(text.split("\n").length <= 8);
  assert.match(text, "Please report it");
  assert.is(exitCodeOf(new TypeError("x")), 70);
});

test("exitCodeOf() is what the error asks for, else 1", () => {
  assert.is(exitCodeOf(new CodedError("a.b", "m", { exitCode: 102 })), 102);
  assert.is(exitCodeOf(new CodedError("a.b", "m")), 1);
});

test.run();

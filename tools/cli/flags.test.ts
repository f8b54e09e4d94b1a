import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CliContext } from "./context.ts";
import { parseAge, parseCount, parseSize, storeFlags } from "./flags.ts";

const fails = (code: string) => (error: { code: string }) => error.code === code;

test("parseCount() takes whole numbers, 0 or more", () => {
  assert.is(parseCount("0"), 0);
  assert.is(parseCount("12"), 12);
  for (const text of ["-1", "1.5", "many"]) assert.throws(() => parseCount(text));
  assert.throws(
    () => parseCount("1.5"),
    (error: { code: string }) => error.code === "cli.bad-number",
  );
});

test("--store takes a directory, relative to where the command runs, and addresses of stores on this machine", () => {
  const context = { cwd: "/home/user" } as CliContext;
  assert.is(storeFlags.store.parse.call(context, "there"), "/home/user/there");
  assert.is(storeFlags.store.parse.call(context, "/there"), "/there");
  assert.is(storeFlags.store.parse.call(context, "there?read-only=true"), "/home/user/there?read-only=true");
  for (const address of ["local", "auto", "local?root=/srv", "?read-only=true", "local-overlay://?root=/srv"])
    assert.is(storeFlags.store.parse.call(context, address), address);
  for (const address of ["https://cache.example", "daemon", "daemon?root=/srv", "ssh://host?x=y"])
    assert.throws(() => storeFlags.store.parse.call(context, address), fails("cli.bad-store"), address);
});

test("parseSize() reads powers of 1024", () => {
  assert.equal(["0", "12", "2K", "1.5m", "10G", "3GiB", "7kB", "5B"].map(parseSize), [
    0,
    12,
    2048,
    1_572_864,
    10 * 1024 ** 3,
    3 * 1024 ** 3,
    7168,
    5,
  ]);
  for (const text of ["", "G", "-1", "1X", "1 G", "1e3"])
    assert.throws(() => parseSize(text), fails("cli.bad-size"), text);
});

test("parseAge() reads hours, days and weeks", () => {
  assert.equal(["12h", "30d", "2w"].map(parseAge), [43_200_000, 2_592_000_000, 1_209_600_000]);
  for (const text of ["", "d", "30", "1y", "-1d", "1.5d"])
    assert.throws(() => parseAge(text), fails("cli.bad-age"), text);
});

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import { routesFor } from "./routes.ts";

const namesOf = async (words: readonly string[]): Promise<string[]> =>
  (await routesFor(words)).getAllEntries().map(({ name }) => name.original);

test("routesFor() gives the noun of a command line alone, and all where it names none", async () => {
  assert.equal(await namesOf(["store", "verify", "build"]), ["store"]);
  const all = await namesOf([]);
  for (const noun of ["build", "copy", "store", "system", "vm-test"]) assert.ok(all.includes(noun), noun);
  // What follows needs the others: help, and words that are nearly one of them.
  for (const words of [["--help"], ["biuld"], ["toString"]]) assert.equal(await namesOf(words), all);
});

test.run();

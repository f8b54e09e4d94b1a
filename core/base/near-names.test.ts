import { test } from "uvu";
import * as assert from "uvu/assert";
import { didYouMean, nearNames } from "./index.ts";

test("nearNames() finds slips of the pen, nearest first, and nothing far away", () => {
  assert.equal(nearNames("helo", ["hello", "help", "zlib"]), ["hello", "help"]);
  assert.equal(nearNames("ngnix", ["nginx", "nodejs"]), ["nginx"]);
  assert.equal(nearNames("util", ["util-linux"]), ["util-linux"]);
  assert.equal(nearNames("completely", ["different"]), []);
});

test("nearNames() counts a swap of neighbours as one slip", () => {
  assert.equal(nearNames("prot", ["port", "root"]), ["port"]);
  assert.equal(nearNames("enabel", ["enable"]), ["enable"]);
});

test("didYouMean() asks for the nearest name, or says nothing", () => {
  assert.is(didYouMean("ngnix", ["nodejs", "nginx"]), 'Did you mean "nginx"?');
  assert.is(didYouMean("xyz", ["enable", "port"]), undefined);
});

test.run();

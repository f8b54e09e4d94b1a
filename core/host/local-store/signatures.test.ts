import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import { makeTextPath } from "../../store/index.ts";
import { openLocalStore } from "./index.ts";
import { openTemporaryStore } from "./testing.ts";

const test = suite<ReturnType<typeof openTemporaryStore>>("signatures in a local store");
test.before.each((context) => void Object.assign(context, openTemporaryStore()));
test.after.each((context) => context.close());

test("addSignatures() keeps each signature once, sorted, for whoever opens the store later", ({ store }) => {
  const [a, b] = ["a", "b"].map((name) => store.addText(name, "", []));
  const first = new Map([
    [a!, ["k-2:AAAA", "k-1:AAAA"]],
    [b!, ["k-1:BBBB"]],
  ]);
  assert.is(store.addSignatures(first), 3);
  assert.is(store.addSignatures(first), 0);
  assert.is(store.addSignatures(new Map([[a!, ["k-1:CCCC"]]])), 1);
  const again = openLocalStore({ root: store.root, readOnly: true });
  assert.equal(again.queryPathInfo(a!)?.signatures, ["k-1:AAAA", "k-1:CCCC", "k-2:AAAA"]);
  assert.equal(again.queryPathInfo(b!)?.signatures, ["k-1:BBBB"]);
  again.close();
});

test("addSignatures() signs all of them or none", ({ store }) => {
  const there = store.addText("there", "", []);
  assert.throws(
    () =>
      store.addSignatures(
        new Map([
          [there, ["k:AAAA"]],
          [makeTextPath("absent", "", []), ["k:AAAA"]],
        ]),
      ),
    (error: CodedError) => error.code === "store.not-valid",
  );
  assert.equal(store.queryPathInfo(there)?.signatures, []);
});

test.run();

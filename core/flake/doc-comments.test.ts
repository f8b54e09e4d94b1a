import { test } from "uvu";
import * as assert from "uvu/assert";
import { findDocComments, keyOfPath } from "./index.ts";

const TEXT = `import { declare, option } from "#floe/module";
const options = declare("services.web", {
  /** Run the server. */
  enable: option.bool(), /** About what is before it. */
  port: option.port(), // Nothing.
  /**
   * Names of {@link Host} and {@link Other|others},
   * in order.
   * @default none
   *
   * More.
   */
  // Sorted by hand.
  "host-names": option.listOf(option.str({ /** Of a setting. */ description: "x" })),
  tls: {
    /* Not for documentation. */
    key: option.str(),
    /** The certificate. */ cert: option.str(),
    /** @internal */
    secret: option.str(),
  },
  sites: option.attrsOf(
    option.submodule({ default: option.bool() }),
    {
      /** Why it is so. */
      default: {},
    },
  ),
});
declare("other", {
  /** Of another call. */
  enable: option.bool(),
});
`;
const comments = findDocComments(TEXT, { line: 2, column: 17 });
const on = (...keys: string[]) => comments.get(keyOfPath(keys));

test("findDocComments() gives the first paragraph above a key, without tags", () => {
  assert.is(on("enable"), "Run the server.");
  assert.is(on("host-names"), "Names of Host and others, in order.");
  assert.is(on("tls", "cert"), "The certificate.");
});

test("findDocComments() leaves out what is not about a key", () => {
  for (const keys of [["port"], ["tls"], ["tls", "key"], ["tls", "secret"], ["sites"], ["sites", "default"]])
    assert.is(on(...keys), undefined, keys.join("."));
  assert.is(findDocComments(TEXT, { line: 99, column: 1 }).size, 0);
});

test("findDocComments() stays in its call", () => {
  assert.equal([...findDocComments(TEXT, { line: 30, column: 1 }).values()], ["Of another call."]);
});

test.run();

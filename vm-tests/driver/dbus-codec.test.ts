import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type DbusValue, decodeMessage, encodeMessage } from "./dbus-codec.ts";

test("encodeMessage() writes a call as the specification has it", () => {
  // D-Bus Specification, "Message Format": header fields are aligned to 8, texts carry their length and end in NUL.
  const bytes = encodeMessage({ kind: "call", serial: 1, path: "/a", member: "M", signature: "s", body: ["x"] });
  const lines = [
    "6c010001 06000000 01000000 27000000",
    "01016f00 02000000 2f610000 00000000",
    "03017300 01000000 4d000000 00000000",
    "08016700 01730000",
    "01000000 7800",
  ];
  assert.is(bytes.toString("hex"), lines.join("").replaceAll(" ", ""));
});

/** A type and a maker of its values, at most that deep. */
function typed(depth: number): fc.Arbitrary<{ type: string; value: DbusValue }> {
  const simple: [string, fc.Arbitrary<DbusValue>][] = [
    ["y", fc.integer({ min: 0, max: 255 })],
    ["b", fc.boolean()],
    ["n", fc.integer({ min: -32768, max: 32767 })],
    ["q", fc.integer({ min: 0, max: 65535 })],
    ["i", fc.integer()],
    ["u", fc.integer({ min: 0, max: 0xffffffff })],
    ["x", fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(exactly)],
    ["t", fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(exactly)],
    ["d", fc.double({ noNaN: true })],
    ["s", fc.string({ unit: "binary" })],
    ["v", fc.oneof(fc.string(), fc.boolean(), fc.integer({ min: -(2 ** 31) + 1 }))],
  ];
  const leaf = fc.oneof(...simple.map(([type, values]) => values.map((value) => ({ type, value }))));
  if (depth === 0) return leaf;
  const inner = typed(depth - 1);
  return fc.oneof(
    leaf,
    // All elements of an array have one type: the same value some times over has.
    fc
      .tuple(inner, fc.nat(3))
      .map(([{ type, value }, count]) => ({ type: `a${type}`, value: Array(count).fill(value) })),
    fc
      .array(inner, { minLength: 1, maxLength: 3 })
      .map((each) => ({ type: `(${each.map(({ type }) => type).join("")})`, value: each.map(({ value }) => value) })),
    fc
      .tuple(inner, fc.uniqueArray(fc.string().filter((key) => key !== "__proto__")))
      .map(([{ type, value }, keys]) => ({
        type: `a{s${type}}`,
        value: Object.fromEntries(keys.map((key) => [key, value])),
      })),
    fc.tuple(inner, fc.uniqueArray(fc.nat(99))).map(([{ type, value }, keys]) => ({
      type: `a{u${type}}`,
      value: keys.map((key) => [key, value]),
    })),
  );
}

const exactly = (value: bigint): number | bigint => (Number.isSafeInteger(Number(value)) ? Number(value) : value);

test("decodeMessage() reads what encodeMessage() wrote", () => {
  fc.assert(
    fc.property(fc.array(typed(2), { maxLength: 4 }), fc.integer({ min: 1, max: 0xffffffff }), (parts, serial) => {
      const signature = parts.map(({ type }) => type).join("");
      const body = parts.map(({ value }) => value);
      const bytes = encodeMessage({
        kind: "signal",
        serial,
        path: "/p",
        interface: "i.f",
        member: "m",
        signature,
        body,
      });
      const more = Buffer.concat([bytes, Buffer.from("more")]);
      const read = decodeMessage(more);
      assert.is(read?.sizeBytes, bytes.length);
      assert.equal(read?.message.body, body);
      assert.equal([read?.message.serial, read?.message.member], [serial, "m"]);
      for (const length of [0, 15, bytes.length - 1]) assert.is(decodeMessage(bytes.subarray(0, length)), undefined);
    }),
  );
});

test("decodeMessage() refuses damaged messages by one code, and never anything else", () => {
  fc.assert(
    fc.property(
      typed(2),
      fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      (part, hits) => {
        const bytes = encodeMessage({
          kind: "return",
          serial: 1,
          replyTo: 2,
          signature: part.type,
          body: [part.value],
        });
        for (const [at, value] of hits) bytes[at % bytes.length] = value;
        try {
          decodeMessage(bytes);
        } catch (error) {
          assert.is((error as { code: string }).code, "dbus.malformed", String(error));
        }
      },
    ),
  );
});

test.run();

import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, sortedText } from "../base/index.ts";
import { formatRegistration, parseRegistrations, type Registration, type StorePath } from "./index.ts";
import { anySha256, anyStorePath, anyStorePaths } from "./testing.ts";

// shared vectors export.json, closure-with-derivation (Nix 2.8.0: nix-store --dump-db)
const TEXT = `/nix/store/334gcnzdm51lvp32ff8sanzffaf9qrf8-beta.drv
8f430e1b1f6c6d261d5793b1185f52be3b6ad60ef01710f047941074d023008c
784

2
/nix/store/jw9hrs1yk9865ddd96cdhfw1q74f2vsv-libalpha-1.0.drv
/nix/store/s7pccmpx2wnkwcjfch0mn1crc2hiha4f-config.txt
`;

const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const nar = fc.record({ hash: anySha256, size: fc.nat() }, { noNullPrototype: true });
const paths = anyStorePaths.map((each) => sortedText(each) as StorePath[]);

test("formatRegistration() writes what parseRegistrations() read", () => {
  const read = [...parseRegistrations(TEXT.split("\n"))];
  assert.is(read.length, 1);
  assert.is(read[0]?.nar?.size, 784);
  assert.is(read.map(formatRegistration).join(""), TEXT);
});

test("registrations survive being written and read, in both forms", () => {
  const long = fc.record({ path: anyStorePath, nar, deriver: optional(anyStorePath), references: paths });
  fc.assert(
    fc.property(fc.array(long, { maxLength: 4 }), fc.boolean(), (made, hashGiven) => {
      const registrations: Registration[] = made.map(({ nar: facts, deriver, ...rest }) => ({
        ...rest,
        ...(hashGiven ? { nar: facts } : {}),
        ...(deriver === undefined ? {} : { deriver }),
      }));
      const text = registrations.map(formatRegistration).join("");
      const read = [...parseRegistrations(text.split("\n"), { hashGiven })];
      assert.equal(read, registrations);
      assert.is(read.map(formatRegistration).join(""), text);
    }),
  );
});

test("parseRegistrations() says which line it cannot read", () => {
  const lines = TEXT.split("\n");
  const changed = (index: number, line: string): string[] => lines.with(index, line);
  const wrong: [number, string[]][] = [
    [1, changed(0, "/tmp/x")],
    [2, changed(1, "00")],
    [3, changed(2, "-1")],
    [4, changed(3, "x")],
    [5, changed(4, "two")],
    [8, changed(4, "3")],
    [6, lines.slice(0, 5)],
  ];
  for (const [line, text] of wrong) {
    assert.throws(
      () => [...parseRegistrations(text)],
      (error: CodedError) => error.code === "registration.malformed" && error.message.includes(`line ${line}:`),
      String(line),
    );
  }
});

test("parseRegistrations() does not believe a count", () => {
  assert.throws(
    () => [...parseRegistrations(TEXT.replace("\n2\n", `\n${Number.MAX_SAFE_INTEGER}\n`).split("\n"))],
    (error: CodedError) => error.code === "registration.malformed",
  );
});

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import * as fc from "fast-check";
import { findAccessToken, mergeAccessSettings, parseAccessSettings } from "./access.ts";
import { findNetrcEntry, parseNetrc } from "./netrc.ts";

test("parseNetrc() reads entries in any layout, with quotes, comments and macros", () => {
  const text = `# mine
machine git.example.org login alice password se#cret
machine other.example.org
  login "bob b" account x
  password "a \\"quoted\\" one"
macdef init
machine not.example.org login no password no

default login anonymous password guest
`;
  assert.equal(parseNetrc(text), [
    { machine: "git.example.org", username: "alice", password: "se#cret" },
    { machine: "other.example.org", username: "bob b", password: 'a "quoted" one' },
    { username: "anonymous", password: "guest" },
  ]);
  assert.equal(parseNetrc("machine"), [{ machine: "", username: "", password: "" }]);
});

test("parseNetrc() reads back every name and password that is quoted, and takes any text", () => {
  const value = fc.string({ unit: "binary" }).filter((text) => !/[\n\r\u2028\u2029]/.test(text));
  const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;
  fc.assert(
    fc.property(fc.array(fc.tuple(value, value, value)), (entries) => {
      const text = entries.map(
        ([machine, ...rest]) => `machine ${quoted(machine)}\n login ${quoted(rest[0])} password ${quoted(rest[1])}\n`,
      );
      assert.equal(
        parseNetrc(text.join("")),
        entries.map(([machine, username, password]) => ({ machine, username, password })),
      );
    }),
  );
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => Array.isArray(parseNetrc(text))));
});

test("findNetrcEntry() takes the machine's own entry before the one for all", () => {
  const entries = parseNetrc("default login d password e\nmachine a login b password c\n");
  assert.equal(findNetrcEntry(entries, "a"), { username: "b", password: "c" });
  assert.equal(findNetrcEntry(entries, "b"), { username: "d", password: "e" });
  assert.is(findNetrcEntry([], "a"), undefined);
});

test("findAccessToken() takes the longest place an address lies below", () => {
  const settings = mergeAccessSettings([
    parseAccessSettings('{"accessTokens":{"git.example.org":"all","git.example.org/group":"group"}}', "a"),
    parseAccessSettings('{"accessTokens":{"git.example.org":"not this"},"netrcFile":"/n"}', "b"),
  ]);
  const token = (url: string): string | undefined => findAccessToken(settings, new URL(url))?.password;
  assert.is(token("https://git.example.org/other/x"), "all");
  assert.is(token("https://git.example.org/group/x"), "group");
  assert.is(token("https://git.example.org/groups/x"), "all");
  assert.is(token("https://example.org/group/x"), undefined);
  assert.is(settings.netrcFile, "/n");
});

test("parseAccessSettings() refuses what makes no sense, without showing a token", () => {
  for (const text of [
    "x",
    '{"accessTokens":[]}',
    '{"accessTokens":{"a":1}}',
    '{"accessTokens":{"a":""}}',
    '{"netrcFile":"n"}',
  ])
    assert.throws(
      () => parseAccessSettings(text, "here"),
      (error: { code: string; message: string }) =>
        error.code === "fetch.settings-malformed" && error.message.includes("here"),
      text,
    );
});

test.run();

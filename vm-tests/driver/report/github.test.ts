import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatAnnotation } from "./github.ts";

const at = { file: "/repo/vm-tests/web.ts", line: 8, column: 5 };

test("formatAnnotation() names the line of the story as GitHub reads it", () => {
  assert.is(
    formatAnnotation({ level: "error", title: "vm-test web", message: "Cannot wait\nlast seen: 50%", at }, "/repo"),
    "::error file=vm-tests/web.ts,line=8,col=5,title=vm-test web::Cannot wait%0Alast seen: 50%25",
  );
  assert.is(
    formatAnnotation({ level: "warning", title: "a: b, c", message: "once" }, "/repo"),
    "::warning title=a%3A b%2C c::once",
  );
});

test("formatAnnotation() leaves out a place that is not in the repository", () => {
  for (const file of ["/elsewhere/web.ts", "/repository/web.ts", "/repo"])
    assert.not.match(
      formatAnnotation({ level: "error", title: "t", message: "m", at: { ...at, file } }, "/repo"),
      "file=",
    );
  const odd = { ...at, file: "/repo/..a/b.ts" };
  assert.match(formatAnnotation({ level: "error", title: "t", message: "m", at: odd }, "/repo"), "file=..a/b.ts,");
});

/** As the runner of GitHub's machines reads a line. Source: actions/runner, `ActionCommand.cs`. */
function read(line: string): { readonly message: string; readonly properties: Record<string, string> } {
  const [, properties = "", message = ""] = /^::error ([^:]*(?:(?!::).)*?)::(.*)$/s.exec(line) ?? [];
  const unescape = (text: string): string =>
    text
      .replaceAll("%0D", "\r")
      .replaceAll("%0A", "\n")
      .replaceAll("%3A", ":")
      .replaceAll("%2C", ",")
      .replaceAll("%25", "%");
  const pairs = properties.split(",").map((each) => {
    const [key = "", ...rest] = each.split("=");
    return [key, unescape(rest.join("="))];
  });
  return { message: unescape(message), properties: Object.fromEntries(pairs) as Record<string, string> };
}

test("formatAnnotation() is one line that says all of it, whatever a guest said", () => {
  const text = fc.string({ unit: fc.constantFrom("a", ":", ",", "%", "\n", "\r", "=", "0", "A", "::", "é") });
  fc.assert(
    fc.property(text, text, text, (message, title, name) => {
      const file = `/repo/d/${name.replaceAll("\n", "")}x`;
      const line = formatAnnotation({ level: "error", title, message, at: { ...at, file } }, "/repo");
      assert.not.match(line, /[\r\n]/);
      // A percent sign before the letters of an escape is escaped itself.
      const found = read(line);
      if (!message.includes("%")) assert.is(found.message, message);
      if (!`${title}${name}`.includes("%")) {
        assert.is(found.properties["title"], title);
        assert.is(found.properties["file"], file.slice("/repo/".length));
      }
    }),
  );
});

test.run();

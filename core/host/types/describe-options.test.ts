import { test } from "uvu";
import * as assert from "uvu/assert";
import { describeOptions } from "./describe-options.ts";

test("describeOptions() says the description of an option before its name", () => {
  assert.is(
    describeOptions('const o = {\n  port: option.port({ default: 80, description: "The port." }),\n};\n'),
    'const o = {\n  /** The port. */ port: option.port({ default: 80, description: "The port." }),\n};\n',
  );
});

test("describeOptions() tells an option's own description from those of options inside it", () => {
  const text =
    'hosts: option.attrsOf(option.submodule({ root: option.path({ description: "In." }) }), {\n description: "Out." })';
  assert.is(
    describeOptions(text),
    '/** Out. */ hosts: option.attrsOf(option.submodule({ /** In. */ root: option.path({ description: "In." }) }), {\n description: "Out." })',
  );
});

test("describeOptions() finds the description of an option that is only changed", () => {
  const text = 'device: option.required(option.str({ description: "A device." }))';
  assert.is(describeOptions(text), `/** A device. */ ${text}`);
});

test("describeOptions() leaves comments of the author, and all that is no option", () => {
  for (const text of [
    '/** Mine. */\nport: option.port({ description: "Not this." })',
    'meta: { description: "No option." }',
    'port: options.port({ description: "Somebody else\'s." })',
    '// port: option.port({ description: "A comment." })',
    "text: 'port: option.port({ description: \"A text.\" })'",
    "port: option.port({ description: `The ${name}.` })",
    "port: option.port({ description: NAME })",
    'port: option.port({ description: "Cut off',
  ])
    assert.is(describeOptions(text), text);
});

test("describeOptions() is not led astray by patterns and texts with brackets", () => {
  const text =
    'name: option.str({ pattern: /^[)"}/]+$/, shape: "a ) or }", description: "A \\"name\\" */ that ends\\nnothing." })';
  assert.is(describeOptions(text), `/** A "name" *\\/ that ends nothing. */ ${text}`);
});

test.run();

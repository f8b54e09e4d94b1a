import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type Data,
  type DataSet,
  type Defs,
  declare,
  defineModule,
  evaluateModules,
  force,
  formats,
  option,
} from "../index.ts";
import { failure, read, says } from "../testing.ts";

/** What Python's own reader makes of texts, as JSON; `undefined` when this Python has no such reader. */
function readByPython(reader: string, texts: readonly string[]): unknown[] | undefined {
  const script = `import json, sys
try:
    ${reader.split("\n").join("\n    ")}
except ImportError:
    print("null"); sys.exit()
print(json.dumps([read(text) for text in json.load(sys.stdin)]))`;
  const { status, stdout, stderr, error } = spawnSync("python3", ["-c", script], {
    input: JSON.stringify(texts),
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (error !== undefined) return undefined;
  if (status !== 0) throw new Error(stderr);
  return (JSON.parse(stdout) as unknown[] | null) ?? undefined;
}

const READERS = {
  json: "def read(text): return json.loads(text)",
  toml: "import tomllib\ndef read(text): return tomllib.loads(text)",
  yaml: "import yaml\ndef read(text): return yaml.safe_load(text)",
  ini: `import configparser
def read(text):
    parser = configparser.RawConfigParser(delimiters=("=",), comment_prefixes=("#", ";"), default_section="\\0", empty_lines_in_values=False)
    parser.optionxform = str
    parser.read_string(text)
    return {name: dict(parser.items(name)) for name in parser.sections()}`,
};

const WORDS = [
  "",
  "yes",
  "No",
  "null",
  "~",
  "1",
  "0x1f",
  "1e3",
  "12:30",
  "2001-01-01",
  ".5",
  ".inf",
  "-",
  "- a",
  "a: b",
  "# c",
];
const text = fc.oneof(
  fc.constantFrom(...WORDS),
  fc.string({ maxLength: 12 }),
  fc.string({ maxLength: 6, unit: "binary" }),
  fc.string({
    unit: fc.constantFrom("\n", " ", "\t", '"', "\\", "\x7f", "\x85", "\u2028", "\ufeff", "\0", "é", "𝄞", "a"),
  }),
);
const wholeText = text.map((value) => value.replace(/\p{Surrogate}/gu, "?"));
const number = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, 1e21, 1e-7, 2 ** 63, 1.5e300, -1e22),
);
const scalar = fc.oneof(wholeText, number, fc.boolean());

/** Data whose leaves are of one arbitrary. */
const data = (leaf: fc.Arbitrary<unknown>): fc.Arbitrary<DataSet> => {
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof({ maxDepth: 4, withCrossShrink: true }, leaf, tie("list"), tie("set")),
    list: fc.array(tie("tree"), { maxLength: 4 }),
    set: fc.dictionary(wholeText, tie("tree"), { maxKeys: 4 }),
  }));
  return fc.dictionary(wholeText, tree, { maxKeys: 5 }) as fc.Arbitrary<DataSet>;
};

/** Numbers that are equal count as the same, whatever their sign of zero; names in any order. */
function normal(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value === "number") return value === 0 ? 0 : value;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, normal(inner)]),
  );
}

function comesBack(name: keyof typeof READERS, leaf: fc.Arbitrary<unknown>): void {
  const samples = fc.sample(data(leaf), { numRuns: 400, seed: 3 });
  const texts = samples.map((value) => (formats[name] as typeof formats.json).format(value as Data));
  const back = readByPython(READERS[name], texts);
  if (back === undefined) return console.log(`skipped: this machine's Python cannot read ${name}`);
  samples.forEach((value, index) => assert.equal(normal(back[index]), normal(value), texts[index]));
}

test("formats.json comes back from Python's reader", () => comesBack("json", fc.oneof(scalar, fc.constant(null))));
test("formats.toml comes back from Python's reader", () => comesBack("toml", scalar));
test("formats.yaml comes back from Python's reader", () => comesBack("yaml", fc.oneof(scalar, fc.constant(null))));

test("formats.ini comes back from Python's reader, as text", () => {
  const line = fc
    .string({ maxLength: 10, unit: fc.constantFrom(..."abc ;#%:[]é\"'\\".split("")) })
    .map((value) => value.trim());
  const key = fc.stringMatching(/^[a-z][a-z .:-]{0,6}[a-z]$/);
  const sections = fc.dictionary(key, fc.dictionary(key, fc.oneof(line, fc.integer(), fc.boolean()), { maxKeys: 4 }), {
    maxKeys: 4,
  });
  const samples = fc.sample(sections, { numRuns: 300, seed: 3 });
  const texts = samples.map((value) => formats.ini().format(value));
  const back = readByPython(READERS.ini, texts);
  if (back === undefined) return console.log("skipped: this machine has no Python");
  const asText = (value: unknown): unknown =>
    typeof value === "object" && value !== null
      ? Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, asText(inner)]))
      : String(value);
  samples.forEach((value, index) => assert.equal(normal(back[index]), normal(asText(value)), texts[index]));
});

const sample = {
  title: "x",
  z: [1, 2],
  server: { port: 80, tls: {}, names: ["a b", "yes"], deep: { one: { two: 2.5 } } },
  users: [{ name: "a" }, { name: "b", keys: [{ id: 1 }] }],
};

test("formats.toml is written as people write it", () => {
  assert.is(
    formats.toml.format(sample),
    `title = "x"
z = [1, 2]

[server]
names = ["a b", "yes"]
port = 80

[server.deep.one]
two = 2.5

[server.tls]

[[users]]
name = "a"

[[users]]
name = "b"

[[users.keys]]
id = 1
`,
  );
});

test("formats.yaml is written as people write it", () => {
  assert.is(
    formats.yaml.format(sample),
    `server:
  deep:
    one:
      two: 2.5
  names:
    - a b
    - "yes"
  port: 80
  tls: {}
title: x
users:
  - name: a
  - keys:
      - id: 1
    name: b
z:
  - 1
  - 2
`,
  );
});

test("formats.ini() has sections, keys beside them, and what dialects differ in", () => {
  assert.is(formats.ini().format({ b: { x: 1, gone: null }, a: "global" }), "a = global\n\n[b]\nx = 1\n");
  const dialect = formats.ini({ separator: "=", lists: "repeat", booleans: ["yes", "no"] });
  assert.is(
    dialect.format({ Service: { ExecStart: ["", "/x"], Flag: true } }),
    "[Service]\nExecStart=\nExecStart=/x\nFlag=yes\n",
  );
  assert.is(formats.keyValue({ lists: "," }).format({ b: [1, 2], a: "x y" }), "a=x y\nb=1,2\n");
  assert.is(formats.keyValue({ separator: " " }).format({ Port: 22 }), "Port 22\n");
});

test("equal settings have equal text, whatever the order of their names", () => {
  const backwards = (value: unknown): unknown =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(
          Object.entries(value)
            .reverse()
            .map(([key, inner]) => [key, backwards(inner)]),
        )
      : value;
  fc.assert(
    fc.property(data(scalar), (value) => {
      for (const format of [formats.json, formats.toml, formats.yaml] as const)
        assert.is(format.format(backwards(value) as DataSet), format.format(value));
    }),
    { numRuns: 60 },
  );
});

test("format.unsupported names the path of what a format cannot express", () => {
  const code = (run: () => unknown) => failure(run).code;
  const error = failure(() => formats.toml.format({ a: { b: [null] } }));
  assert.is(error.code, "format.unsupported");
  assert.is(error.message, 'Cannot write settings as TOML: found null at "a.b.0"');
  assert.match(error.at?.file ?? "", /formats\.test\.ts$/);
  const u = "format.unsupported";
  assert.is(
    code(() => formats.json.format({ a: "\ud800" })),
    u,
  );
  assert.is(
    code(() => formats.yaml.format({ a: Number.NaN })),
    u,
  );
  assert.is(
    code(() => formats.toml.format([] as never)),
    u,
  );
  for (const wrong of [
    { a: { b: "x\ny" } },
    { a: { b: " x" } },
    { "a]": { b: 1 } },
    { a: { "b=": 1 } },
    { a: { "#b": 1 } },
    { a: [1] },
  ])
    assert.is(
      code(() => formats.ini().format(wrong)),
      u,
      JSON.stringify(wrong),
    );
  assert.is(
    code(() => formats.keyValue({ lists: "repeat" }).format({ a: [{}] as never })),
    u,
  );
});

test("settings: declared ones have their own type, all others are taken as the format has them", () => {
  const options = declare("clock", {
    settings: formats.toml.settings({ port: option.port({ default: 80 }) }, { description: "Settings of clock." }),
  });
  const clock = defineModule(options);
  const merged = read(
    [clock],
    [
      { clock: { settings: { zones: { vienna: { offset: 1 } }, list: ["a"] } } },
      { clock: { settings: { zones: { vienna: { name: "W" } }, list: ["b"], port: force(81) } } },
    ],
  ).clock.settings;
  assert.equal(merged, { list: ["a", "b"], port: 81, zones: { vienna: { name: "W", offset: 1 } } });
  assert.match(formats.toml.format(merged), 'list = ["a", "b"]\nport = 81\n\n[zones.vienna]\n');
  const refuse = (settings: object) => failure(() => read([clock], { clock: { settings } }));
  assert.is(refuse({ port: "x" }).code, "option.wrong-type");
  const deep = refuse({ zones: { vienna: [1, null] } });
  assert.match(deep.message, /null for option "clock\.settings\.zones\.vienna\[1\]".*expected a value of TOML/);
  assert.match(deep.at?.file ?? "", /formats\.test\.ts$/);
  const package_ = { outPath: "/nix/store/x", toString: () => "/nix/store/x" };
  assert.is(
    formats.toml.format(read([clock], { clock: { settings: { package_ } } }).clock.settings),
    'package_ = "/nix/store/x"\nport = 80\n',
  );
});

test("formats' values are types of their own, and known to the type checker", () => {
  const options = declare("all", {
    ini: formats.ini().value({ default: {} }),
    keys: formats.keyValue({ lists: "repeat" }).value({ default: {} }),
    toml: formats.toml.value({ default: {} }),
    settings: formats.ini().settings({ Main: option.submodule({ level: option.int({ default: 1 }) }) }),
  });
  const config = evaluateModules({
    modules: [defineModule(options)],
    config: says({ all: { ini: { a: { b: 1 }, g: true }, keys: { a: [1] }, toml: { a: [{ b: 1 }] } } }) as Defs,
  }).config as any;
  assert.is(formats.ini().format(config.all.ini), "g = true\n\n[a]\nb = 1\n");
  assert.is(formats.ini().format(config.all.settings), "[Main]\nlevel = 1\n");
  for (const wrong of [
    { ini: { a: { b: { c: 1 } } } },
    { ini: { a: [1] } },
    { ini: 1 },
    { keys: { a: { b: 1 } } },
    { toml: [1] },
    { toml: { a: null } },
  ])
    assert.is(
      failure(() => read([defineModule(options)], { all: wrong })).code,
      "option.wrong-type",
      JSON.stringify(wrong),
    );
  const typed = [
    // @ts-expect-error a table is expected
    () => formats.toml.format(1),
    // @ts-expect-error sections have keys, no further sections
    () => formats.ini().format({ a: { b: { c: 1 } } }),
    // @ts-expect-error functions are no data
    () => formats.json.format({ a: () => 1 }),
  ];
  assert.is(typed.length, 3);
});

test.run();

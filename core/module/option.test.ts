import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type Defs,
  type Read,
  type Write,
  after,
  before,
  declare,
  defineModule,
  documentOptions,
  evaluateModules,
  force,
  formatOptionsJson,
  formatOptionsMarkdown,
  option,
  splitOptionPath,
  withPriority,
} from "./index.ts";
import { failure, read, rule, says } from "./testing.ts";

function merged(one: Parameters<typeof declare>[1][string], ...values: unknown[]): unknown {
  const module = defineModule(declare("t", { one }));
  const config = values.map((value) => ({ t: { one: value } }) as Defs);
  return (evaluateModules({ modules: [module], config }).config as unknown as { t: { one: unknown } }).t.one;
}
const refuses = (one: Parameters<typeof declare>[1][string], ...values: unknown[]) =>
  assert.throws(
    () => merged(one, ...values),
    (error: { code: string }) => ["option.wrong-type", "option.conflict"].includes(error.code),
  );

test("option.int() and option.port() keep their bounds", () => {
  assert.is(merged(option.int({ min: 1, max: 3 }), 3), 3);
  refuses(option.int({ min: 1, max: 3 }), 4);
  refuses(option.int(), 1.5);
  refuses(option.port(), 65536);
});

test("option.str() matches the whole of a pattern", () => {
  assert.is(merged(option.str({ pattern: /[a-z]+/ }), "abc"), "abc");
  refuses(option.str({ pattern: /[a-z]+/ }), "abc1");
});

test("option.enumeration() takes what is listed", () => {
  assert.is(merged(option.enumeration(["a", "b"]), "b"), "b");
  refuses(option.enumeration(["a", "b"]), "c");
});

test("option.path() gives text, from anything with a store path", () => {
  assert.is(merged(option.path(), "/etc/x"), "/etc/x");
  assert.is(merged(option.path(), { outPath: "/nix/store/x", toString: () => "/nix/store/x" }), "/nix/store/x");
  refuses(option.path(), "relative");
});

test("option.package() takes packages only; equal output paths agree", () => {
  const made = () => ({ outPath: "/nix/store/x", toString: () => "/nix/store/x" });
  assert.is(String(merged(option.package(), made(), made())), "/nix/store/x");
  refuses(option.package(), "/nix/store/x");
});

test("option.nullOr() defaults to null and conflicts between null and a value", () => {
  assert.is(merged(option.nullOr(option.int())), null);
  assert.is(merged(option.nullOr(option.int()), 1), 1);
  refuses(option.nullOr(option.int()), 1, null);
});

test("option.oneOf() merges with the first type that fits all", () => {
  const value = option.oneOf([option.listOf(option.str()), option.str(), option.bool()]);
  assert.equal(merged(value, ["a"], ["b"]), ["a", "b"]);
  assert.is(merged(value, true), true);
  refuses(value, "a", ["b"]);
  refuses(value, 1);
});

test("option.coerced() converts before it merges", () => {
  const list = option.coerced(option.str(), (text) => [text], option.listOf(option.str()));
  assert.equal(merged(list, "a", ["b"]), ["a", "b"]);
});

test("option.anything() merges attribute sets deeply and refuses to choose", () => {
  assert.equal(merged(option.anything(), { a: { b: 1 } }, { a: { c: 2 } }), { a: { b: 1, c: 2 } });
  refuses(option.anything(), { a: 1 }, { a: 2 });
});

test("documentOptions() needs no configuration and follows submodules", () => {
  const hosts = option.attrsOf(option.submodule({ root: option.path({ description: "Where files lie." }) }));
  const docs = documentOptions([defineModule(declare("web", { hosts, hidden: option.bool({ internal: true }) }))]);
  assert.equal(
    docs.map(({ path }) => path),
    ["web.hosts", "web.hosts.<name>.root"],
  );
  assert.is(docs[1]?.description, "Where files lie.");
  assert.is(docs[0]?.default, "{}");
  assert.match(docs[0]?.declaredAt?.file ?? "", /option\.test\.ts$/);
});

test("sizes of whole numbers, and bounds of others", () => {
  for (const [made, least, most] of [
    [option.unsigned(), 0, Number.MAX_SAFE_INTEGER],
    [option.positive(), 1, Number.MAX_SAFE_INTEGER],
    [option.u8(), 0, 255],
    [option.u16(), 0, 65535],
    [option.u32(), 0, 4294967295],
    [option.s8(), -128, 127],
    [option.s16(), -32768, 32767],
    [option.s32(), -2147483648, 2147483647],
    [option.number({ min: -0.5, max: 0.5 }), -0.5, 0.5],
  ] as const) {
    assert.is(merged(made, least), least);
    assert.is(merged(made, most), most);
    refuses(made, least - 1);
    refuses(made, most + 1);
  }
  refuses(option.number(), Number.NaN);
});

test("option.boolByOr() is true when one definition is", () => {
  assert.is(merged(option.boolByOr(), false, true), true);
  assert.is(merged(option.boolByOr({ default: true }), false), false);
  refuses(option.boolByOr(), 1);
});

test("texts: matching, not empty, of one line, separated", () => {
  refuses(option.strMatching(/[a-z]+/), "A");
  assert.is(merged(option.nonEmptyStr(), " x\n"), " x\n");
  refuses(option.nonEmptyStr(), " \n");
  refuses(option.singleLineStr(), "a\nb");
  refuses(option.singleLineStr(), "a\rb");
  assert.is(merged(option.separated(":"), "a", after("c"), "b"), "a:b:c");
  assert.is(merged(option.commas(), after("b"), before("a")), "a,b");
});

test("option.path() keeps secrets out of the store when asked", () => {
  const secret = option.path({ inStore: false });
  assert.is(merged(secret, "/run/keys/x"), "/run/keys/x");
  refuses(secret, "/nix/store/abc");
  refuses(secret, "//nix//store/abc");
  refuses(option.path({ inStore: true }), "/nix/storeroom");
  assert.is(merged(option.path({ absolute: false }), "a/b"), "a/b");
  refuses(option.path({ absolute: false }), "");
});

test("option.listOf() may have to hold something", () => {
  const list = option.listOf(option.int(), { nonEmpty: true });
  refuses(list, []);
  assert.equal(merged(list, [1], [2]), [1, 2]);
  assert.is(failure(() => merged(list)).code, "option.no-value");
});

test("option.either() and option.tagged() choose by the value", () => {
  assert.is(merged(option.either(option.int(), option.str()), "a"), "a");
  const tagged = option.tagged({ file: option.path(), text: option.lines() });
  assert.equal(merged(tagged, { text: "a" }, { text: "b" }), { text: "a\nb" });
  refuses(tagged, { text: "a" }, { file: "/b" });
  refuses(tagged, { text: "a", file: "/b" });
  refuses(tagged, {});
  refuses(tagged, { other: 1 });
});

test("option.unique() and option.raw() have one definition", () => {
  refuses(option.unique(option.listOf(option.int())), [1], [2]);
  assert.equal(merged(option.unique(option.listOf(option.int())), [1], force([2])), [2]);
  const call = () => 1;
  assert.is(merged(option.raw(), call), call);
  refuses(option.raw(), 1, 1);
});

test("option.anything() takes data: lists are concatenated, functions and circles refused", () => {
  assert.equal(merged(option.anything(), { a: [1] }, { a: before([2]) }), { a: [2, 1] });
  assert.equal(merged(option.anything(), { a: { b: 1 } }, { a: { b: force(2) } }), { a: { b: 2 } });
  refuses(option.anything(), () => 1);
  refuses(option.anything(), { a: { b: () => 1 } });
  const circle: Record<string, unknown> = {};
  circle["self"] = [circle];
  refuses(option.anything(), circle);
  const list = [1];
  const value = merged(option.anything(), { list }) as { list: number[] };
  assert.throws(() => value.list.push(2), TypeError);
});

test("option.apply() gives readers another form; what it throws is told at the definition", () => {
  const words = option.apply(option.listOf(option.str(), { default: ["a"] }), (list) => list.join(" "));
  assert.is(merged(words), "a");
  assert.is(merged(words, ["b"], ["c"]), "b c");
  assert.is(
    merged(
      option.apply(option.int(), (value) => value * 2),
      2,
    ),
    4,
  );
  const fails = option.apply(option.int(), () => {
    throw new Error("odd");
  });
  const error = failure(() => merged(fails, 1));
  assert.is(error.code, "option.merge-failed");
  assert.match(error.at?.file ?? "", /option\.test\.ts$/);
});

test("a declared default is checked and merged like a definition", () => {
  const error = failure(() => merged(option.port({ default: 70_000 })));
  assert.is(error.code, "option.wrong-type");
  assert.match(error.at?.file ?? "", /option\.test\.ts$/);
  const whole = option.submodule(
    { a: option.int({ default: 1 }), b: option.int({ default: 2 }) },
    { default: { a: 3 } },
  );
  assert.equal(merged(whole), { a: 3, b: 2 });
  assert.equal(merged(option.submodule({ a: option.int({ default: 1 }) })), { a: 1 });
  assert.equal(merged(option.listOf(option.int(), { default: [1] }), withPriority(1500, [2])), [1, 2]);
  assert.equal(merged(option.path({ default: { toString: () => "/x" } })), "/x");
});

test("option.read-only counts definitions of every priority, and a declared default", () => {
  const fixed = option.int({ readOnly: true });
  assert.is(merged(fixed, 1), 1);
  assert.is(failure(() => merged(fixed, 1, force(2))).code, "option.read-only");
  assert.is(failure(() => merged(option.int({ readOnly: true, default: 1 }), 2)).code, "option.read-only");
  const inner = option.submodule({ id: option.int({ readOnly: true, default: 1 }) });
  assert.is(failure(() => merged(inner, { id: 2 })).code, "option.read-only");
});

const host = option.submodule(
  {
    root: option.path(),
    port: option.port({ default: 80 }),
    address: option.str(),
    aliases: option.listOf(option.str()),
  },
  {
    rule: ({ name, cfg, define, check, warn }) => {
      define({ root: withPriority(1000, `/srv/${name}`) });
      define({ address: `${name}:${cfg.port}` });
      check(cfg.port !== 666, `Cannot serve "${name}": port 666 is taken`);
      if (cfg.port === 667) warn(`"${name}" is near`);
    },
  },
);

test("option.submodule() with a rule: defaults from the name, options from each other", () => {
  const hosts = option.attrsOf(host);
  assert.equal(merged(hosts, { "a.example": {} }, { "a.example": { port: 81 }, b: { root: "/b" } }), {
    "a.example": { address: "a.example:81", aliases: [], port: 81, root: "/srv/a.example" },
    b: { address: "b:80", aliases: [], port: 80, root: "/b" },
  });
  assert.is((merged(option.listOf(host), [{ port: 1 }]) as { address: string }[])[0]?.address, "0:1");
  const error = failure(() => merged(hosts, { a: { port: 666 } }));
  assert.is(error.code, "module.assertion");
  assert.match(error.at?.file ?? "", /option\.test\.ts$/);
  const typo = failure(() => merged(hosts, { a: { prot: 1 } }));
  assert.is(typo.hint, 'Did you mean "t.one.a.port"?');
  const warned = evaluateModules({
    modules: [defineModule(declare("t", { hosts }))],
    config: says({ t: { hosts: { a: { port: 667 } } } }),
  });
  assert.equal(
    warned.warnings.map(({ message }) => message),
    ['"a" is near'],
  );
});

test("a rule of a submodule that does not settle is told with its options; one that waits, too", () => {
  const swings = option.submodule(
    { a: option.bool({ default: false }), b: option.bool({ default: false }), c: option.str() },
    {
      rule: ({ cfg, define }) => {
        define({ a: !cfg.b });
        define({ b: cfg.a });
      },
    },
  );
  const error = failure(() => merged(option.attrsOf(swings), { x: { c: "" } }));
  assert.is(error.code, "module.unsettled");
  assert.match(error.message, '"t.one.x.a"');
  const waits = option.submodule({ a: option.str() }, { rule: ({ cfg }) => void cfg.a });
  assert.is(failure(() => merged(waits, {})).code, "option.no-value");
  const lacks = option.submodule({ a: option.str() }, { rule: () => {} });
  assert.is(failure(() => merged(lacks, {})).code, "option.no-value");
});

test("option.submodule() with free names merges them by their type, declared ones by theirs", () => {
  for (const more of [{}, { rule: () => {} }]) {
    const settings = option.submodule(
      { port: option.port({ default: 80 }) },
      { freeform: option.oneOf([option.int(), option.listOf(option.str())]), ...more },
    );
    assert.equal(merged(settings, { level: 1, words: ["a"] }, { words: ["b"], port: 81 }), {
      level: 1,
      port: 81,
      words: ["a", "b"],
    });
    assert.equal(merged(settings, { level: 1 }, { level: force(2) }), { level: 2, port: 80 });
    refuses(settings, { level: true });
    refuses(settings, { level: 1 }, { level: 2 });
    refuses(settings, { port: ["a"] });
  }
});

test("option.deferredModule() collects configurations for elsewhere", () => {
  const inner = defineModule(declare("inner", { words: option.listOf(option.str()) }));
  const outer = defineModule(declare("outer", { variants: option.attrsOf(option.deferredModule()) }));
  const given = rule("gives", ({ define }) =>
    define(says({ outer: { variants: { v: { inner: { words: ["literal"] } } } } })),
  );
  const module = rule("a module", ({ define }) => define(says({ inner: { words: ["module"] } })));
  const { variants } = read([outer, given], { outer: { variants: { v: module, none: {} } } }).outer;
  assert.equal(read([inner, ...variants.v]).inner.words, ["module", "literal"]);
  assert.equal(read([inner, ...variants.none]).inner.words, []);
  assert.is(failure(() => read([outer], { outer: { variants: { v: 1 } } })).code, "option.wrong-type");
  const wrong = failure(() =>
    read([inner, ...read([outer], { outer: { variants: { v: { x: 1 } } } }).outer.variants.v]),
  );
  assert.is(wrong.code, "option.unknown");
  assert.match(wrong.at?.file ?? "", /option\.test\.ts$/);
});

test("documentOptions() leaves out modules that take no part", () => {
  const modules = ["web", "mail"].map((path) => defineModule(declare(path, { on: option.bool() })));
  assert.equal(
    documentOptions(modules, ["mail"]).map(({ path }) => path),
    ["web.on"],
  );
});

test("documentOptions() shows what options say about themselves, and leaves out what is not for users", () => {
  const docs = documentOptions([
    defineModule(
      declare("web", {
        name: option.str({ defaultText: "the host's name", example: "web", related: ["web.hosts"] }),
        hosts: option.attrsOf(option.submodule({ "a.b": option.int({ readOnly: true, default: 1 }) }), {
          placeholder: "host",
          description: "Hosts by `name`.",
        }),
        shallow: option.submodule({ inner: option.int({ default: 1 }) }, { visible: "shallow" }),
        hidden: option.bool({ visible: false }),
        either: option.oneOf([option.str(), option.submodule({ deep: option.nullOr(option.int()) })]),
      }),
    ),
  ]);
  assert.equal(
    docs.map(({ path }) => path),
    ["web.either", "web.either.deep", "web.hosts", 'web.hosts.<host>."a.b"', "web.name", "web.shallow"],
  );
  const show = () => "web.ts";
  const json = JSON.parse(formatOptionsJson(docs, show));
  assert.equal(json['web.hosts.<host>."a.b"'], {
    default: { _type: "literalExpression", text: "1" },
    declarations: ["web.ts"],
    description: "",
    loc: ["web", "hosts", "<host>", "a.b"],
    readOnly: true,
    related: [],
    type: "a whole number",
  });
  const markdown = formatOptionsMarkdown(docs, show);
  assert.match(
    markdown,
    '## `web.name`\n\n- Type: text\n- Default: `the host\'s name`\n- Example: `"web"`\n- See also: `web.hosts`\n- Declared by: `web.ts`\n',
  );
  assert.match(markdown, "## `web.hosts`\n\nHosts by `name`.\n\n- Type: attribute set of submodules\n");
});

test("splitOptionPath() is the inverse of how paths are shown", () => {
  assert.equal(splitOptionPath('a."b.c"[3].<name>."q\\".x"'), ["a", "b.c", "3", "<name>", 'q".x']);
  assert.equal(splitOptionPath('systemd.services."getty@tty1".*.x'), ["systemd", "services", "getty@tty1", "*", "x"]);
});

test("what options give and take is known to the type checker", () => {
  const all = declare("all", {
    enumerated: option.enumeration(["a", "b"]),
    maybe: option.nullOr(option.int()),
    either: option.either(option.int(), option.str()),
    list: option.listOf(option.path()),
    sets: option.attrsOf(option.submodule({ deep: option.bool({ default: false }) })),
    free: option.submodule({ port: option.port() }, { freeform: option.oneOf([option.int(), option.str()]) }),
    tagged: option.tagged({ file: option.path(), text: option.lines() }),
    words: option.apply(option.listOf(option.str()), (list) => list.join(" ")),
    coerced: option.coerced(option.int(), String, option.str()),
    later: option.deferredModule(),
    raw: option.raw<Map<string, number>>(),
  });
  type Given = Read<typeof all>;
  type Said = Write<typeof all>;
  const pkg = { outPath: "/x", toString: () => "/x" };
  const said: Said = {
    enumerated: "a",
    maybe: null,
    either: "x",
    list: ["/a", pkg],
    sets: { x: { deep: force(true) } },
    free: { port: 1, level: 2 },
    tagged: { text: "t" },
    words: ["a"],
    coerced: 1,
    later: { services: {} },
    raw: new Map([["a", 1]]),
  };
  const reads = (given: Given): string[] => [
    given.words.toUpperCase(),
    given.coerced.trim(),
    given.list[0]?.trim() ?? "",
    "text" in given.tagged ? given.tagged.text : given.tagged.file,
    given.free.port.toFixed() + String(given.free["level"]),
    given.later[0]?.key ?? "",
    String(given.raw.get("a")),
  ];
  const wrong: Said[] = [
    // @ts-expect-error not one of the choices
    { enumerated: "c" },
    // @ts-expect-error neither null nor a number
    { maybe: "1" },
    // @ts-expect-error neither of the two
    { either: true },
    // @ts-expect-error an element of another type
    { list: [1] },
    // @ts-expect-error a misspelt name in a submodule
    { sets: { x: { depe: true } } },
    // @ts-expect-error a free name of another type
    { free: { level: true } },
    // @ts-expect-error no such tag
    { tagged: { other: "x" } },
    // @ts-expect-error a definition says what the option takes, not what readers get
    { words: "a" },
    // @ts-expect-error neither of both forms
    { coerced: true },
    // @ts-expect-error definitions of another configuration are checked, too
    { later: { servces: {} } },
    // @ts-expect-error a misspelt option
    { rwa: new Map() },
    // @ts-expect-error marks keep the type
    { sets: { x: { deep: force("yes") } } },
  ];
  // @ts-expect-error a default has the type of a definition
  option.listOf(option.int(), { default: ["a"] });
  // @ts-expect-error what readers get is not what is written
  option.apply(option.int(), (value: string) => value);
  option.submodule(
    { a: option.int() },
    {
      // @ts-expect-error a rule of a submodule defines its options alone
      rule: ({ define }) => define({ b: 1 }),
    },
  );
  assert.is(wrong.length, 12);
  assert.is(typeof reads, "function");
  assert.is(said.maybe, null);
});

test.run();

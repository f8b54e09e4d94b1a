import { readFileSync } from "node:fs";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  after,
  before,
  changedOption,
  declare,
  defaults,
  defineModule,
  evaluateModules,
  force,
  option,
  removedOption,
  renamedOption,
} from "./index.ts";
import { failure, read, rule, says } from "./testing.ts";

const web = declare("web", {
  enable: option.bool({ default: false }),
  port: option.port({ default: 80 }),
  name: option.str(),
  paths: option.listOf(option.str()),
  notes: option.lines(),
  hosts: option.attrsOf(option.submodule({ root: option.nullOr(option.path()), weight: option.int({ default: 1 }) })),
  extra: option.anything({ default: {} }),
});
const webModule = defineModule(web);

test("evaluateModules() gives declared defaults, and empty collections", () => {
  const config = read([webModule]);
  assert.is(config.web.port, 80);
  assert.equal(config.web.paths, []);
  assert.equal(config.web.hosts, {});
  assert.is(config.web.notes, "");
});

test("priorities: force wins over plain, plain over defaults, defaults over the declared one", () => {
  const at = (value: unknown) => rule(`m${String(value)}`, ({ define }) => define(says({ web: { port: value } })));
  const weak = rule("weak", ({ define }) => define(says({ web: { port: defaults(81) } })));
  const strong = rule("strong", ({ define }) => define(says({ web: { port: force(83) } })));
  assert.is(read([webModule, weak]).web.port, 81);
  assert.is(read([webModule, weak, at(82)]).web.port, 82);
  assert.is(read([webModule, weak, at(82), strong]).web.port, 83);
  assert.is(read([webModule, at(82)], { web: force({ port: 84 }) }).web.port, 84);
});

test("lists, lines and attribute sets merge; before and after choose the place", () => {
  const config = read(
    [
      webModule,
      rule("a", ({ define }) => define(says({ web: { paths: ["a"], notes: "a", hosts: { x: { weight: 2 } } } }))),
      rule("b", ({ define }) =>
        define(says({ web: { paths: before(["b"]), notes: after("b"), hosts: { x: { root: "/b" } } } })),
      ),
    ],
    { web: { paths: ["c", "d"], hosts: { y: {} }, extra: { deep: { one: 1 } } } },
  );
  assert.equal(config.web.paths, ["b", "a", "c", "d"]);
  assert.is(config.web.notes, "a\nb");
  assert.equal(config.web.hosts, { x: { root: "/b", weight: 2 }, y: { root: null, weight: 1 } });
  assert.equal(config.web.extra, { deep: { one: 1 } });
});

test("marks inside free names decide for that name alone", () => {
  const config = read(
    [
      webModule,
      rule("a", ({ define }) => define(says({ web: { hosts: { x: { weight: force(5) }, y: { weight: 6 } } } }))),
    ],
    { web: { hosts: { x: { weight: 7 }, y: { weight: defaults(8) } } } },
  );
  assert.is(config.web.hosts.x.weight, 5);
  assert.is(config.web.hosts.y.weight, 6);
});

test("a rule may test an option that it also sets, and one that another rule computes", () => {
  const config = read([
    webModule,
    rule("on", ({ define }) => define(says({ web: { enable: true } }))),
    rule("port", ({ config, define }) => {
      if (!config.web.enable) return;
      define(says({ web: { port: defaults(8080) } }));
      for (const path of config.web.paths) define(says({ web: { hosts: { [path]: {} } } }));
    }),
    rule("paths", ({ config, define }) => {
      if (config.web.port === 8080) define(says({ web: { paths: ["p", "q"] } }));
      // Sets the option it tests: settles, since the definition does not change any more.
      if (config.web.paths.length > 0) define(says({ web: { paths: after(["last"]) } }));
    }),
  ]);
  assert.equal(config.web.paths, ["p", "q", "last"]);
  assert.equal(Object.keys(config.web.hosts), ["last", "p", "q"]);
});

test("reading an option without a value suspends the rule, what it said before counts", () => {
  const config = read([
    webModule,
    rule("reader", ({ config, define }) => {
      define(says({ web: { enable: true } }));
      define(says({ web: { paths: [config.web.name] } }));
    }),
    rule("giver", ({ config, define }) => {
      if (config.web.enable) define(says({ web: { name: "late" } }));
    }),
  ]);
  assert.equal(config.web.paths, ["late"]);
});

test("option.no-value: a rule still waits when nothing moves any more", () => {
  const error = failure(() => read([webModule, rule("reader", ({ config }) => void config.web.name)]));
  assert.is(error.code, "option.no-value");
  assert.match(error.message, /"web.name".*module "reader" reads it/);
});

test("option.no-value: reading the result, or a required option of a submodule", () => {
  const config = read([webModule]);
  assert.is(failure(() => config.web.name).code, "option.no-value");
  assert.not.throws(() => JSON.stringify(config));
  const strict = defineModule(declare("strict", { items: option.attrsOf(option.submodule({ must: option.str() })) }));
  const error = failure(() => read([strict], { strict: { items: { a: {} } } }));
  assert.is(error.code, "option.no-value");
  assert.match(error.message, /strict\.items\.a\.must/);
});

test("option.unknown: has the definition's own place and the name that was meant", () => {
  const error = failure(() =>
    read([
      webModule,
      rule("typo", ({ define }) => {
        define(says({ web: { prot: 1 } }));
      }),
    ]),
  );
  assert.is(error.code, "option.unknown");
  assert.is(error.hint, 'Did you mean "web.port"?');
  assert.match(error.at?.file ?? "", /evaluate\.test\.ts$/);
  const line = readFileSync(import.meta.filename, "utf8").split("\n")[(error.at?.line ?? 0) - 1];
  assert.match(line?.slice((error.at?.column ?? 0) - 1) ?? "", /^define\(says\(\{ web: \{ prot/);
});

test("option.unknown: in a submodule, and when a rule reads", () => {
  const nested = failure(() => read([webModule], { web: { hosts: { x: { rot: "/x" } } } }));
  assert.is(nested.hint, 'Did you mean "web.hosts.x.root"?');
  assert.match(nested.at?.file ?? "", /evaluate\.test\.ts$/);
  const reader = failure(() => read([webModule, rule("r", ({ config }) => void config.web.enabel)]));
  assert.is(reader.code, "option.unknown");
  assert.is(reader.hint, 'Did you mean "web.enable"?');
});

test("option.wrong-type: says what was found and expected", () => {
  const error = failure(() => read([webModule], { web: { port: "80" } }));
  assert.is(error.code, "option.wrong-type");
  assert.match(error.message, /"80" for option "web.port": found text, expected a whole number from 0 to 65535/);
  assert.is(failure(() => read([webModule], { web: { paths: [1] } })).message.includes("web.paths[0]"), true);
  assert.is(failure(() => read([webModule], { web: 1 })).code, "option.wrong-type");
});

test("option.conflict: lists every definition with its place", () => {
  const error = failure(() =>
    read([webModule, rule("a", ({ define }) => define(says({ web: { port: 81 } })))], { web: { port: 82 } }),
  );
  assert.is(error.code, "option.conflict");
  assert.match(error.message, /81 at .*evaluate\.test\.ts:\d+:\d+\n {2}82 at .*evaluate\.test\.ts:\d+:\d+/);
});

test("option.declared-twice, option.read-only, option.bad-path, option.assigned", () => {
  assert.is(
    failure(() => read([webModule, defineModule(declare("web", { port: option.int() }))])).code,
    "option.declared-twice",
  );
  assert.is(
    failure(() => read([webModule, defineModule(declare("web.port", { x: option.int() }))])).code,
    "option.declared-twice",
  );
  const fixed = defineModule(declare("fixed", { id: option.listOf(option.str(), { readOnly: true }) }), ({ define }) =>
    define(says({ fixed: { id: ["a"] } })),
  );
  assert.equal(read([fixed]).fixed.id, ["a"]);
  assert.is(failure(() => read([fixed], { fixed: { id: ["b"] } })).code, "option.read-only");
  assert.is(failure(() => declare("a..b", {})).code, "option.bad-path");
  const writer = rule("w", ({ config }) => {
    config.web.port = 1;
  });
  assert.is(failure(() => read([webModule, writer])).code, "option.assigned");
});

test("module.assertion: all failed checks are told together, warnings are handed back", () => {
  const strict = rule("strict", ({ config, check, warn }) => {
    check(config.web.port > 1000, "Cannot serve: port is privileged");
    check(config.web.enable, "Cannot serve: not enabled");
    warn("something is old");
  });
  const error = failure(() => read([webModule, strict]));
  assert.is(error.code, "module.assertion");
  assert.is(error.details?.length, 3);
  assert.match(error.details?.[2] ?? "", /^warning: .*evaluate\.test\.ts:\d+:\d+: something is old$/);
  const calm = rule("calm", ({ warn }) => warn("w"));
  assert.is(evaluateModules({ modules: [calm] }).warnings[0]?.message, "w");
});

test("module.rule-failed: names the module; a failure that passes is no failure", () => {
  const broken = rule("broken", () => {
    throw new Error("oh");
  });
  const error = failure(() => read([broken]));
  assert.is(error.code, "module.rule-failed");
  assert.match(error.message, /module "broken": oh/);
  const early = rule("early", ({ config, define }) => define(says({ web: { port: config.web.paths[0].length } })));
  const late = rule("late", ({ define }) => define(says({ web: { paths: ["abc"] } })));
  assert.is(read([webModule, early, late]).web.port, 3);
});

test("module.unsettled: shows the circle of options and rules with places", () => {
  const grow = rule("grow", ({ config, define }) => define(says({ web: { port: config.web.hosts.n?.weight ?? 1 } })));
  const feed = rule("feed", ({ config, define }) =>
    define(says({ web: { hosts: { n: { weight: config.web.port + 1 } } } })),
  );
  const error = failure(() => read([webModule, grow, feed]));
  assert.is(error.code, "module.unsettled");
  const steps = error.details?.join("\n") ?? "";
  assert.match(steps, /"web\.hosts" is read by module "grow".*defines "web\.port" \(.*evaluate\.test\.ts:\d+:\d+\)/);
  assert.match(steps, /"web\.port" is read by module "feed".*defines "web\.hosts"/);
});

test("module.unsettled: two rules that each wait for the other's absence", () => {
  const pair = defineModule(
    declare("pair", { a: option.bool({ default: false }), b: option.bool({ default: false }) }),
  );
  const a = rule("a", ({ config, define }) => {
    if (!config.pair.b) define(says({ pair: { a: true } }));
  });
  const b = rule("b", ({ config, define }) => {
    if (!config.pair.a) define(says({ pair: { b: true } }));
  });
  // Depending on who runs first, one or the other would win: not a result to rely on.
  for (const modules of [
    [pair, a, b],
    [b, a, pair],
  ])
    assert.is(failure(() => read(modules)).code, "module.unsettled");
});

test("module.late-read: a part of the configuration that is looked into only when its rule has ended", () => {
  const copies = rule("copies", ({ config, define }) => define(says({ web: { extra: { all: config.web } } })));
  const error = failure(() => read([webModule, copies], { web: { name: "n" } }));
  assert.is(error.code, "module.late-read");
  const group = defineModule(declare("other", { port: option.port(), name: option.str() }));
  const allowed = rule("allowed", ({ config, define }) => {
    const { port, name } = config.web;
    define(says({ other: { port, name } }));
  });
  assert.equal(read([webModule, group, allowed], { web: { name: "n" } }).other, { name: "n", port: 80 });
});

test("data that holds itself is a fault like any other, also when a rule defines it again and again", () => {
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  const twice = rule("twice", ({ config, define }) => {
    void config.web.paths;
    define(says({ web: { extra: circle, port: { self: circle } } }));
  });
  const grows = rule("grows", ({ define }) => define(says({ web: { paths: ["a"] } })));
  const error = failure(() => read([webModule, twice, grows], { web: { name: "n", extra: circle } }));
  assert.is(error.code, "option.wrong-type");
});

test("module.rule-returned: a value where a definition was meant, and a rule that waits", () => {
  const returns = rule("returns", (() => ({ web: { port: 1 } })) as never);
  assert.is(failure(() => read([webModule, returns])).code, "module.rule-returned");
  const waits = rule("waits", (async ({ config }: { config: any }) => config.web.name) as never);
  assert.match(failure(() => read([webModule, waits])).message, /module "waits": found that it returns a promise/);
  const short = rule("short", (({ config, define }: any) => config.web.enable && define({})) as never);
  assert.is(read([webModule, short]).web.port, 80);
});

test("module.unstable: a rule with a memory of its own", () => {
  let count = 0;
  const counter = rule("counter", ({ define }) => {
    count += 1;
    define(says({ web: { port: count } }));
  });
  assert.is(failure(() => read([webModule, counter])).code, "module.unstable");
});

test("imports bring modules along once", () => {
  const base = rule("base", ({ define }) => define(says({ web: { paths: ["base"] } })));
  const one = defineModule({ key: "one", imports: [base, webModule] });
  const two = defineModule({ key: "two", imports: [base] });
  assert.equal(read([one, two]).web.paths, ["base"]);
});

test("renamedOption() keeps an old name working, for definitions and for reads, with a warning", () => {
  const reader = rule("reader", ({ config, define }) =>
    define(says({ web: { paths: [`${config.http.server.port}`] } })),
  );
  const modules = [webModule, renamedOption("http.server", "web"), reader];
  const evaluated = evaluateModules({ modules, config: says({ http: { server: { port: 81 } } }) });
  assert.equal((evaluated.config as any).web.port, 81);
  assert.equal((evaluated.config as any).web.paths, ["81"]);
  assert.is(evaluated.warnings[0]?.message, '"http.server" has another name now. Use "web".');
  assert.match(evaluated.warnings[0]?.at?.file ?? "", /evaluate\.test\.ts$/);
});

test("changedOption() converts definitions of the old name; option.convert-failed, option.renamed-to-nothing", () => {
  const minutes = changedOption<number, string>("web.minutes", "web.name", (value) => `${value.toFixed()} min`);
  const evaluated = evaluateModules({ modules: [webModule, minutes], config: says({ web: { minutes: 5 } }) });
  assert.is((evaluated.config as any).web.name, "5 min");
  assert.match(evaluated.warnings[0]?.message ?? "", 'Use "web.name", which takes other values.');
  const wrong = failure(() => read([webModule, minutes], { web: { minutes: "5" } }));
  assert.is(wrong.code, "option.convert-failed");
  assert.match(wrong.at?.file ?? "", /evaluate\.test\.ts$/);
  const nothing = failure(() => read([webModule, renamedOption("web.a", "web.gone")]));
  assert.is(nothing.code, "option.renamed-to-nothing");
  const circle = [renamedOption("web.a", "web.b"), renamedOption("web.b", "web.a")];
  assert.is(failure(() => read([webModule, ...circle])).code, "option.renamed-to-nothing");
  const chain = [renamedOption("web.a", "web.b"), renamedOption("web.b", "web.port")];
  assert.is(read([webModule, ...chain], { web: { a: 9 } }).web.port, 9);
});

test("option.merge-failed: a function of the declaration throws", () => {
  const odd = option.coerced(
    option.str(),
    () => {
      throw new Error("no such unit");
    },
    option.int(),
  );
  const error = failure(() => read([defineModule(declare("odd", { odd }))], { odd: { odd: "1x" } }));
  assert.is(error.code, "option.merge-failed");
  assert.match(error.message, 'Cannot merge option "odd.odd": no such unit');
});

test("option.removed: gives the advice", () => {
  const gone = removedOption("web.old", "Write it into web.extra.");
  const error = failure(() => read([webModule, gone], { web: { old: 1 } }));
  assert.is(error.code, "option.removed");
  assert.is(error.hint, "Write it into web.extra.");
});

test("a configuration may be several literals", () => {
  assert.equal(read([webModule], [{ web: { paths: ["a"] } }, { web: { paths: ["b"] } }]).web.paths, ["a", "b"]);
});

test("the result does not depend on the order of modules (100 random orders)", () => {
  const names = Array.from({ length: 12 }, (_, index) => `m${index}`);
  const modules = names.map((name, index) =>
    rule(name, ({ config, define }) => {
      define(says({ web: { paths: [name], notes: `${name} ${config.web.port}` } }));
      if (config.web.paths.length >= index)
        define(says({ web: { hosts: { [name]: { weight: config.web.paths.length } } } }));
      if (index === 3) define(says({ web: { name: `n${Object.keys(config.web.hosts).length > 0}` } }));
      if (index === 5) define(says({ web: { port: defaults(5), extra: { got: config.web.name } } }));
      if (index === 7) define(says({ web: { paths: before(["first"]), port: force(7) } }));
    }),
  );
  const expected = JSON.stringify(read([webModule, ...modules]));
  assert.match(expected, /"first"/);
  fc.assert(
    fc.property(fc.shuffledSubarray(modules, { minLength: modules.length }), (shuffled) => {
      assert.is(JSON.stringify(read([...shuffled, webModule])), expected);
    }),
    { numRuns: 100 },
  );
});

test("a misspelt option of a module that is disabled says so where a rule reads it, too", () => {
  const clock = defineModule(declare("clock", { zone: option.str({ default: "UTC" }) }));
  const reader = rule("reader", ({ config, define }) => define(says({ out: { zone: config.clock.zone } })));
  const out = defineModule(declare("out", { zone: option.str({ default: "" }) }));
  const { code, hint } = failure(() => evaluateModules({ modules: [clock, reader, out], disabledModules: ["clock"] }));
  assert.is(code, "option.unknown");
  assert.match(hint ?? "", /^Module "clock" at .* declares it, but is disabled\.$/);
});

test("option.wrong-type: a configuration that is no attribute set", () => {
  const { code, message, hint } = failure(() => evaluateModules({ modules: [], config: "web.port = 1" as never }));
  assert.is(code, "option.wrong-type");
  assert.is(message, "Cannot use text for the configuration: expected an attribute set");
  assert.is(hint, "Write options by their names: { services: { … } }.");
});

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Module, declare, defineModule, evaluateModules, option } from "./index.ts";
import { failure, read, rule, says } from "./testing.ts";

const clock = defineModule(declare("clock", { zones: option.listOf(option.str()) }));
const adds = (key: string, imports: readonly Module[] = []) =>
  defineModule({ key, imports }, ({ define }) => define(says({ clock: { zones: [key] } })));

test("module.imports-depend: modules that a configuration would have to choose", () => {
  const depends = (config: any) => (config.clock.enable ? [clock] : []);
  const made = failure(() => defineModule({ key: "late", imports: depends as never }));
  assert.is(made.code, "module.imports-depend");
  assert.match(made.at?.file ?? "", /module-list\.test\.ts$/);
  assert.match(made.hint ?? "", "if (!cfg.enable) return;");
  const inRule = failure(() =>
    read([
      clock,
      rule("late", ({ config, define }) => {
        if (config.clock.zones.length === 0) define(says({ imports: [adds("more")] }));
      }),
    ]),
  );
  assert.is(inRule.code, "module.imports-depend");
  assert.match(inRule.at?.file ?? "", /module-list\.test\.ts$/);
  assert.is(failure(() => read([clock], { imports: [] })).code, "module.imports-depend");
});

test("module.not-a-module: a file name, a bare function, an import that is not there yet", () => {
  const named = failure(() => defineModule({ key: "m", imports: ["./clock.ts"] as never }));
  assert.is(named.code, "module.not-a-module");
  assert.match(named.hint ?? "", 'import clock from "./clock.ts";');
  assert.match(
    failure(() => defineModule({ key: "m", imports: [undefined] as never })).hint ?? "",
    "import each other",
  );
  assert.match(failure(() => read([(() => ({})) as never])).hint ?? "", "defineModule(");
  assert.is(failure(() => read({} as never)).code, "module.not-a-module");
});

test("module.key-taken: two modules without options and one name", () => {
  const error = failure(() => read([clock, adds("twice"), adds("twice")]));
  assert.is(error.code, "module.key-taken");
  assert.match(error.message, /of .*module-list\.test\.ts:\d+:\d+: found another one with this key at/);
  const once = adds("once");
  assert.equal(read([clock, once, defineModule({ key: "again", imports: [once] })]).clock.zones, ["once"]);
});

test("disabledModules keeps out a module and what only it imports, whoever says so", () => {
  const deep = adds("deep");
  const shared = adds("shared");
  const out = adds("out", [deep, shared]);
  const off = defineModule({ key: "off", disabledModules: [out] });
  const modules = [clock, out, defineModule({ key: "other", imports: [shared] })];
  assert.equal(read(modules).clock.zones, ["deep", "out", "shared"]);
  assert.equal(read([...modules, off]).clock.zones, ["shared"]);
  assert.equal(read([off, ...modules].reverse()).clock.zones, ["shared"]);
  const config = evaluateModules({ modules, disabledModules: ["out"] }).config as any;
  assert.equal(config.clock.zones, ["shared"]);
});

test("disabledModules: two modules that disable each other are both out", () => {
  const a = defineModule({ key: "a", disabledModules: ["b"] }, ({ define }) =>
    define(says({ clock: { zones: ["a"] } })),
  );
  const b = defineModule({ key: "b", disabledModules: [a] }, ({ define }) => define(says({ clock: { zones: ["b"] } })));
  assert.equal(read([clock, a, b]).clock.zones, []);
  assert.equal(read([b, a, clock]).clock.zones, []);
});

test("module.not-found: a key that no module has; an option of a disabled module says so", () => {
  const error = failure(() => evaluateModules({ modules: [clock], disabledModules: ["clok"] }));
  assert.is(error.code, "module.not-found");
  assert.is(error.hint, 'Did you mean "clock"?');
  const gone = failure(() => evaluateModules({ modules: [clock, adds("a")], disabledModules: [clock] }));
  assert.is(gone.code, "option.unknown");
  assert.match(gone.hint ?? "", /Module "clock" at .* declares it, but is disabled/);
});

test.run();

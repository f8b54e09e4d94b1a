import { spawnSync } from "node:child_process";
import { readFileSync, readlinkSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Defs, after, declare, defineModule, force, option } from "../module/index.ts";
import type { SourceInfo, SourceInput } from "../flake/index.ts";
import { failure } from "../module/testing.ts";
import { formatSources, makeSystem, tryParseBootSpec, tryParseSources } from "./index.ts";
import { beginTestEvaluation, runBuilder, testPackage } from "./testing.ts";

beginTestEvaluation();
const bash = testPackage("bash");
const coreutils = testPackage("coreutils");
const filled = defineModule(declare("test", { extra: option.listOf(option.str()) }), ({ cfg, define }) => {
  define({
    system: {
      build: {
        kernel: "/k/bzImage",
        initrd: "/i",
        kernelParams: ["quiet", ...cfg.extra],
        etc: "/e",
        etcLinks: "/l",
        etcEntries: ["hosts"],
        sw: "/s",
        init: "/systemd/lib/systemd/systemd",
        manager: "/systemd",
        shell: bash,
        path: [coreutils],
      },
      activationScripts: { hello: { text: "echo $system" } },
    },
  });
});
const make = (config: Defs) => makeSystem({ name: "web", pkgs: { coreutils }, modules: [filled], config });

test("makeSystem() gives a toplevel with everything a boot needs", () => {
  const system = make({ system: { label: "Test" } });
  assert.is(system.toplevel.name, "floe-system-web");
  assert.is(`${system}`, system.outPath);
  assert.equal(system.kernelParams, ["quiet"]);
  const out = runBuilder(
    system.toplevel,
    new Map([
      [bash, "/usr"],
      [coreutils, "/usr"],
    ]),
  );
  assert.equal(
    readdirSync(out).sort(),
    "activate boot.json etc etc-entries etc-links floe-version init init-interface-version initrd kernel kernel-params name sw system systemd".split(
      " ",
    ),
  );
  assert.is(readlinkSync(join(out, "kernel")), "/k/bzImage");
  assert.is(statSync(join(out, "init")).mode & 0o777, 0o555);
  const spec = tryParseBootSpec(readFileSync(join(out, "boot.json"), "utf8"));
  assert.equal(spec, {
    kernel: "/k/bzImage",
    initrd: "/i",
    init: `${out}/init`,
    kernelParams: ["quiet"],
    label: "Test",
    system: "x86_64-linux",
    toplevel: out,
  });
  assert.is(spawnSync(join(out, "activate"), { encoding: "utf8" }).stdout, `${out}\n`);
  assert.is(spawnSync("bash", ["-n", join(out, "init")]).status, 0);
});

test("makeSystem() writes of what commits it was made, and nothing where its inputs have none", () => {
  const input = (sourceInfo: SourceInfo): SourceInput => ({ outPath: "/o", sourceInfo });
  const here = input({ type: "path", narHash: "sha256-x" });
  const rev = "b".repeat(40);
  const git = input({
    type: "git",
    url: "https://me:secret@example.org/a",
    rev,
    shortRev: "bbbbbbb",
    ref: "refs/heads/main",
  });
  const options = { name: "web", pkgs: { coreutils }, modules: [filled], config: {} };
  const plain = makeSystem(options);
  assert.is(makeSystem({ ...options, inputs: { here } }).outPath, plain.outPath);
  const system = makeSystem({ ...options, inputs: { here, git } });
  assert.is.not(system.outPath, plain.outPath);
  const sources = tryParseSources(
    readFileSync(join(runBuilder(system.toplevel, new Map([[coreutils, "/usr"]])), "sources.json"), "utf8"),
  );
  assert.equal(sources, { git: { type: "git", url: "https://example.org/a", rev, ref: "refs/heads/main" } });
});

test("tryParseSources() reads what formatSources() writes, and nothing else", () => {
  const text = fc.string({ unit: "binary" });
  const source = fc.record(
    { type: text, url: text, rev: text, ref: text, narHash: text, lastModified: fc.nat() },
    { requiredKeys: ["type", "url"], noNullPrototype: true },
  );
  const name = text.filter((each) => each !== "__proto__");
  fc.assert(
    fc.property(fc.dictionary(name, source, { noNullPrototype: true }), (sources) => {
      assert.equal(tryParseSources(formatSources(sources)), sources);
    }),
  );
  for (const other of [
    "",
    "[]",
    '{"version":2,"inputs":{}}',
    '{"version":1,"inputs":[]}',
    '{"version":1,"inputs":{"a":{}}}',
  ])
    assert.is(tryParseSources(other), undefined, other);
});

test("a specialisation is a system of its own beside its parent, with an entry in boot.json", () => {
  const system = make({
    system: { label: "Test" },
    specialisation: {
      loud: { configuration: { system: { build: { kernelParams: after(["debug"]) }, label: force("Loud") } } },
      bare: { inheritParent: false, configuration: defineModule({ key: "bare" }) },
    },
  });
  const { loud, bare } = system.specialisations;
  assert.equal(loud?.kernelParams, ["quiet", "debug"]);
  assert.equal(system.kernelParams, ["quiet"]);
  assert.is(bare?.config.system.label, "Floe web (bare)");
  assert.equal(loud?.specialisations, {});
  const out = runBuilder(
    system.toplevel,
    new Map([
      [bash, "/usr"],
      [coreutils, "/usr"],
    ]),
  );
  assert.is(readlinkSync(join(out, "specialisation/loud")), loud?.outPath);
  assert.equal(readdirSync(join(out, "specialisation")).sort(), ["bare", "loud"]);
  const spec = tryParseBootSpec(readFileSync(join(out, "boot.json"), "utf8"));
  assert.is(spec?.init, `${out}/init`);
  assert.equal(Object.keys(spec?.specialisations ?? {}), ["bare", "loud"]);
  assert.equal(spec?.specialisations?.["loud"], {
    kernel: "/k/bzImage",
    initrd: "/i",
    init: `${loud?.outPath}/init`,
    kernelParams: ["quiet", "debug"],
    label: "Loud",
    system: "x86_64-linux",
    toplevel: loud?.outPath,
  });
});

test("what is wrong in a specialisation says in which, at the place where it was written", () => {
  const system = make({ specialisation: { odd: { configuration: { system: { label: 1 as never } } } } });
  const error = failure(() => system.outPath);
  assert.is(error.code, "option.wrong-type");
  assert.match(error.message, '(in specialisation "odd")');
  assert.match(error.at?.file ?? "", /toplevel\.test\.ts$/);
  const named = failure(() => make({ specialisation: { "a/b": {} } }).outPath);
  assert.is(named.code, "module.assertion");
  // @ts-expect-error a misspelt option is one in a variant, too
  make({ specialisation: { odd: { configuration: { system: { lable: "x" } } } } });
});

test("makeSystem() takes modules that take no part", () => {
  const extra = defineModule({ key: "extra" }, ({ define }) => define({ system: { build: { kernelParams: ["x"] } } }));
  const pkgs = { coreutils };
  const made = (disabledModules: string[]) =>
    makeSystem({ name: "web", pkgs, modules: [filled, extra], disabledModules, config: {} }).kernelParams;
  assert.equal(made([]), ["x", "quiet"]);
  assert.equal(made(["extra"]), ["quiet"]);
});

test("makeSystem() is lazy, and its errors name the literal's place", () => {
  const system = make({ system: { nmae: "x" } } as Defs);
  assert.is(system.name, "web");
  try {
    system.config;
    assert.unreachable();
  } catch (error) {
    const { code, hint, at } = error as { code: string; hint: string; at: { file: string } };
    assert.is(code, "option.unknown");
    assert.is(hint, 'Did you mean "system.name"?');
    assert.match(at.file, /toplevel\.test\.ts$/);
  }
});

test.run();
